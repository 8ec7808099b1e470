{{/* Parts of pods. Every pod of the chart is built of these, so that all keep to the restricted Pod Security Standard. */}}

{{- define "kefu.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.podSecurity.user }}
runAsGroup: {{ .Values.podSecurity.group }}
fsGroup: {{ .Values.podSecurity.group }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "kefu.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* What a pod says about itself and where it may run. (root, spec) */}}
{{- define "kefu.podBase" -}}
{{- $root := index . 0 }}
{{- $spec := index . 1 -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "kefu.podSecurity" $root | nindent 2 }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $spec.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $spec.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $spec.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $spec.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The program: image, arguments, security, the folder it may write to. (root, arguments) */}}
{{- define "kefu.program" -}}
{{- $root := index . 0 -}}
image: {{ include "kefu.image" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
args: {{ index . 1 | toJson }}
securityContext:
  {{- include "kefu.containerSecurity" $root | nindent 2 }}
{{- end }}

{{/* One variable: text (a template), or where it comes from. (root, name, value) */}}
{{- define "kefu.variable" -}}
{{- $root := index . 0 }}
{{- $name := index . 1 }}
{{- $value := index . 2 -}}
- name: {{ $name }}
{{- if not (kindIs "map" $value) }}
  value: {{ tpl (include "kefu.text" $value) $root | quote }}
{{- else if $value.secret }}
  valueFrom:
    secretKeyRef:
      name: {{ include "kefu.secretName" (list $root $value.secret (printf "env.%s" $name)) }}
      key: {{ $value.key }}
{{- else }}
  valueFrom:
    {{- toYaml $value | nindent 4 }}
{{- end }}
{{- end }}

{{/* A value as text. Numbers of YAML are floats here, which would print a million as 1e+06. */}}
{{- define "kefu.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ printf "%.0f" . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}

{{/* The Kubernetes Secret behind an entry of `secrets`. (root, entry, who asks) */}}
{{- define "kefu.secretName" -}}
{{- $root := index . 0 }}
{{- $entry := get $root.Values.secrets (index . 1) }}
{{- if not $entry }}
{{- fail (printf "%s: no entry %q under secrets; there are %s" (index . 2) (index . 1) (keys $root.Values.secrets | sortAlpha | join ", ")) }}
{{- end }}
{{- $entry.existingSecret }}
{{- end }}

{{/* Variables of a workload: its own, paths of mounted files, where neighbours answer, how it ends, telemetry. (root, workload) */}}
{{- define "kefu.env" -}}
{{- $root := index . 0 }}
{{- $workload := index . 1 }}
{{- $spec := $workload.spec }}
{{- $env := dict }}
{{- range $name, $file := $spec.files }}
{{- $_ := set $env $name (printf "/etc/kefu/%s%s" $file.secret (ternary (printf "/%s" $file.path) "" (not (empty $file.path)))) }}
{{- end }}
{{- $_ := set $env "KEFU_PROFILES" "/etc/kefu/profiles" }}
{{- $_ := set $env "KEFU_METRICS_LISTEN" (printf "0.0.0.0:%v" $root.Values.ports.metrics) }}
{{- with include "kefu.targets" (list $root $workload.service) }}{{ $_ := set $env "KEFU_TARGETS" . }}{{ end }}
{{- with include "kefu.absent" $root }}{{ $_ := set $env "KEFU_ABSENT_SERVICES" . }}{{ end }}
{{- if eq $spec.protocol "grpc" }}
{{- $_ := set $env "KEFU_LISTEN" (printf "0.0.0.0:%v" $root.Values.ports.grpc) }}
{{- $_ := set $env "KEFU_HEALTH_LISTEN" (printf "0.0.0.0:%v" $root.Values.ports.health) }}
{{- $_ := set $env "KEFU_DRAIN_SECONDS" $spec.drain.drainSeconds }}
{{- $_ := set $env "KEFU_GRACE_SECONDS" $spec.drain.graceSeconds }}
{{- end }}
{{- include "kefu.tlsEnv" (list $root $workload $env) }}
{{- include "kefu.telemetryEnv" (list $root $workload $env) }}
{{- range $name, $value := $spec.env }}
{{- if hasKey $env $name }}
{{- fail (printf "services.%s: env.%s: the chart sets it, from files, ports, profiles, drain, tls, telemetry or the call list; change it there" $workload.service $name) }}
{{- end }}
{{- $_ := set $env $name $value }}
{{- end }}
{{- range $name, $value := $env }}
{{ include "kefu.variable" (list $root $name $value) }}
{{- end }}
{{- end }}

{{/* Adds the paths of the mounted certificate. (root, workload, env) */}}
{{- define "kefu.tlsEnv" -}}
{{- $root := index . 0 }}
{{- $workload := index . 1 }}
{{- $env := index . 2 }}
{{- $serves := eq $workload.spec.protocol "grpc" }}
{{- $calls := include "kefu.targets" (list $root $workload.service) }}
{{- if and (eq $root.Values.tls.mode "mounted") (or $serves $calls) }}
{{- $_ := set $env "KEFU_TLS_CERTIFICATE" "/etc/kefu/tls/tls.crt" }}
{{- $_ := set $env "KEFU_TLS_KEY" "/etc/kefu/tls/tls.key" }}
{{- if $serves }}{{ $_ := set $env "KEFU_TLS_CLIENT_CA" "/etc/kefu/tls/ca.crt" }}{{ end }}
{{- if $calls }}{{ $_ := set $env "KEFU_SERVICES_CA" "/etc/kefu/tls/ca.crt" }}{{ end }}
{{- end }}
{{- end }}

{{/* Adds OpenTelemetry's standard variables. (root, workload, env) */}}
{{- define "kefu.telemetryEnv" -}}
{{- $root := index . 0 }}
{{- $env := index . 2 }}
{{- with $root.Values.telemetry }}
{{- if .otlpEndpoint }}
{{- $_ := set $env "OTEL_SERVICE_NAME" (index $ 1).service }}
{{- $_ := set $env "OTEL_EXPORTER_OTLP_ENDPOINT" .otlpEndpoint }}
{{- $_ := set $env "OTEL_TRACES_SAMPLER" "parentbased_traceidratio" }}
{{- $_ := set $env "OTEL_TRACES_SAMPLER_ARG" .sampleRatio }}
{{- $_ := set $env "OTEL_RESOURCE_ATTRIBUTES" (printf "deployment.environment.name=%s,service.version=%s" $root.Values.environment ($root.Values.image.tag | default $root.Chart.AppVersion)) }}
{{- else }}
{{- $_ := set $env "OTEL_TRACES_EXPORTER" "none" }}
{{- end }}
{{- end }}
{{- end }}

{{/* Mounts of a workload; `kefu.volumes` has a volume for each. (root, workload) */}}
{{- define "kefu.mounts" -}}
{{- $workload := index . 1 -}}
- {name: tmp, mountPath: /tmp}
- {name: profiles, mountPath: /etc/kefu/profiles, readOnly: true}
{{- range $secret := include "kefu.mountedSecrets" $workload | fromJsonArray }}
- {name: secret-{{ $secret }}, mountPath: /etc/kefu/{{ $secret }}, readOnly: true}
{{- end }}
{{- if include "kefu.mountsTls" . }}
- {name: tls, mountPath: /etc/kefu/tls, readOnly: true}
{{- end }}
{{- end }}

{{- define "kefu.volumes" -}}
{{- $root := index . 0 }}
{{- $workload := index . 1 -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ $workload.spec.scratch }}
- name: profiles
  projected:
    defaultMode: 0440
    sources:
      {{- range include "kefu.profileMaps" $root | fromJsonArray }}
      - configMap:
          name: {{ . }}
      {{- end }}
{{- range $secret := include "kefu.mountedSecrets" $workload | fromJsonArray }}
- name: secret-{{ $secret }}
  secret:
    secretName: {{ include "kefu.secretName" (list $root $secret "files") }}
    defaultMode: 0440
{{- end }}
{{- if include "kefu.mountsTls" . }}
- name: tls
  secret:
    secretName: {{ include "kefu.fullname" $root }}-{{ $workload.service }}-tls
    defaultMode: 0440
{{- end }}
{{- end }}

{{- define "kefu.mountedSecrets" -}}
{{- $names := list }}
{{- range .spec.files }}{{ $names = append $names .secret }}{{ end }}
{{- $names | uniq | sortAlpha | toJson }}
{{- end }}

{{- define "kefu.mountsTls" -}}
{{- $root := index . 0 }}
{{- $workload := index . 1 }}
{{- if and (eq $root.Values.tls.mode "mounted") (or (eq $workload.spec.protocol "grpc") (include "kefu.targets" (list $root $workload.service))) }}true{{ end }}
{{- end }}

{{/* Probes: liveness asks nothing but the process, readiness the database too. (root, spec) */}}
{{- define "kefu.probes" -}}
{{- $ports := (index . 0).Values.ports }}
{{- $protocol := (index . 1).protocol }}
{{- $probes := dict }}
{{- range $probe, $times := (index . 1).probes }}
{{- $ready := eq $probe "readiness" }}
{{- $ask := dict "httpGet" (dict "port" "metrics" "path" "/healthz") }}
{{- if eq $protocol "grpc" }}
{{- $ask = dict "grpc" (dict "port" $ports.health "service" (ternary "readiness" "liveness" $ready)) }}
{{- else if eq $protocol "http" }}
{{- $ask = dict "httpGet" (dict "port" "http" "path" (ternary "/readyz" "/healthz" $ready)) }}
{{- end }}
{{- $_ := set $probes (printf "%sProbe" $probe) (merge $ask $times) }}
{{- end }}
{{- toYaml $probes }}
{{- end }}

{{/* Time from the order to stop until a pod may be killed: everything that an orderly end takes, and a margin. */}}
{{- define "kefu.terminationSeconds" -}}
{{- add .preStopSeconds .drainSeconds .graceSeconds .flushSeconds .marginSeconds }}
{{- end }}

{{- define "kefu.ports" -}}
{{- $ports := (index . 0).Values.ports }}
{{- $protocol := (index . 1).protocol }}
{{- if eq $protocol "grpc" }}
- {name: grpc, containerPort: {{ $ports.grpc }}}
- {name: health, containerPort: {{ $ports.health }}}
{{- else if eq $protocol "http" }}
- {name: http, containerPort: {{ $ports.http }}}
{{- end }}
- {name: metrics, containerPort: {{ $ports.metrics }}}
{{- end }}
