{{/* What the schema cannot say. Each refusal names the value and what to do. */}}

{{- define "kefu.checks" -}}
{{- $values := .Values }}
{{- $calls := include "kefu.calls" . | fromYaml }}
{{- include "kefu.removed" . }}
{{- if and $values.inlineSecrets (ne $values.environment "dev") }}
{{- fail "inlineSecrets: only with environment dev, since Helm keeps them readable in the release; make the Secrets outside the chart and name them under secrets" }}
{{- end }}
{{- if and (eq $values.tls.mode "off") (ne $values.environment "dev") }}
{{- fail "tls.mode: off only with environment dev; mount certificates, or choose mesh where a service mesh encrypts" }}
{{- end }}
{{- if and (ne $values.environment "dev") (not (hasPrefix "https://" $values.publicUrl)) }}
{{- fail "publicUrl: must begin with https:// outside environment dev; the gateway refuses to start without it" }}
{{- end }}
{{- if and (eq $values.migrations.mode "hook") (or $values.externalSecrets.enabled $values.inlineSecrets) }}
{{- fail "migrations.mode: a hook runs before the chart's Secrets exist and would wait for them for ever; use job with externalSecrets or inlineSecrets" }}
{{- end }}
{{- if and $values.ingress.enabled $values.httpRoute.enabled }}
{{- fail "ingress.enabled and httpRoute.enabled: keep one way in" }}
{{- end }}
{{- range $service, $block := $values.services }}
{{- if $block.enabled }}
{{- if not (hasKey $calls $service) }}
{{- fail (printf "services.%s: not in the call list (services/policy/calls.yaml); add it there first" $service) }}
{{- end }}
{{- range (index $calls $service).calls }}
{{- if not (dig . "enabled" false $values.services) }}
{{- fail (printf "services.%s.enabled: false, but %s calls it; disable %s too" . $service $service) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- range (include "kefu.workloads" . | fromYaml).items }}
{{- $path := printf "services.%s.roles.%s" .service .role }}
{{- $scale := .spec.autoscaling }}
{{- if and (ne $scale.kind "none") (gt (int $scale.minReplicas) (int $scale.maxReplicas)) }}
{{- fail (printf "%s.autoscaling: minReplicas %v is above maxReplicas %v" $path $scale.minReplicas $scale.maxReplicas) }}
{{- end }}
{{- if and (eq $scale.kind "keda") (not $values.monitoring.prometheusUrl) }}
{{- fail (printf "monitoring.prometheusUrl: needed by %s.autoscaling.kind keda" $path) }}
{{- end }}
{{- if and (eq $scale.kind "keda") (not $scale.triggers) }}
{{- fail (printf "%s.autoscaling.triggers: keda needs at least one" $path) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Keys of older versions: a key that is silently ignored is worse than an error. */}}
{{- define "kefu.removed" -}}
{{- range $path, $what := .Files.Get "files/removed.yaml" | fromYaml }}
{{- $place := $.Values }}
{{- range splitList "." $path }}
{{- if kindIs "map" $place }}{{ $place = get $place . }}{{ else }}{{ $place = "" }}{{ end }}
{{- end }}
{{- if $place }}
{{- fail (printf "%s: removed in %s; %s (UPGRADING.md)" $path $what.in $what.instead) }}
{{- end }}
{{- end }}
{{- end }}
