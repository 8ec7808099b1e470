{{/* Names and labels. */}}

{{- define "kefu.name" -}}
{{- .Chart.Name }}
{{- end }}

{{/* What every object's name begins with: the release, or "release-kefu" where the release has another name. */}}
{{- define "kefu.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride }}
{{- else if contains .Chart.Name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Selectors never change between versions of the chart: name, release and component only. (root, component) */}}
{{- define "kefu.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "kefu.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Labels of every object. (root, component) */}}
{{- define "kefu.labels" -}}
{{- $root := index . 0 -}}
{{ include "kefu.selector" . }}
app.kubernetes.io/part-of: kefu
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels of a pod. NetworkPolicies choose by the service; nothing here changes with the chart alone. (root, component, service) */}}
{{- define "kefu.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "kefu.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
kefu/service: {{ index . 2 }}
{{- end }}

{{- define "kefu.image" -}}
{{- $image := .Values.image -}}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* The role "serve" carries the service's own name, every other its name behind it. (service, role) */}}
{{- define "kefu.component" -}}
{{- if eq (index . 1) "serve" }}{{ index . 0 }}{{ else }}{{ index . 0 }}-{{ index . 1 }}{{ end }}
{{- end }}
