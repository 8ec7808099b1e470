{{/*
The workloads of the release: every role of every enabled service, with its settings worked out.
A role's settings win over its service's, those over `defaults`; null removes what stands below.
*/}}
{{- define "kefu.workloads" -}}
{{- $items := list }}
{{- range $service, $block := .Values.services }}
{{- if $block.enabled }}
{{- range $role, $own := $block.roles }}
{{- $spec := deepCopy $.Values.defaults }}
{{- include "kefu.overlay" (list $spec (omit $block "enabled" "migrate" "roles")) }}
{{- include "kefu.overlay" (list $spec $own) }}
{{- $component := include "kefu.component" (list $service $role) }}
{{- $items = append $items (dict "service" $service "role" $role "component" $component "spec" $spec) }}
{{- end }}
{{- end }}
{{- end }}
{{- dict "items" $items | toYaml }}
{{- end }}

{{/* Lay the second dict over the first, which it changes. Sprig's mergeOverwrite would keep what false, 0 or "" is to replace. */}}
{{- define "kefu.overlay" -}}
{{- $base := index . 0 }}
{{- range $key, $value := deepCopy (index . 1) }}
{{- if kindIs "invalid" $value }}
{{- $_ := unset $base $key }}
{{- else if and (kindIs "map" $value) (kindIs "map" (get $base $key)) }}
{{- include "kefu.overlay" (list (get $base $key) $value) }}
{{- else }}
{{- $_ := set $base $key $value }}
{{- end }}
{{- end }}
{{- end }}

{{/* The declared call list, as packed with the chart. */}}
{{- define "kefu.calls" -}}
{{- .Files.Get "files/calls.yaml" }}
{{- end }}

{{/* The services of the call list that this release does not have, so that no event waits for them. */}}
{{- define "kefu.absent" -}}
{{- $absent := list }}
{{- range $service, $_ := include "kefu.calls" . | fromYaml }}
{{- if not (dig $service "enabled" false $.Values.services) }}{{ $absent = append $absent $service }}{{ end }}
{{- end }}
{{- join "," $absent }}
{{- end }}

{{/* Where the services that a service calls answer, as KEFU_TARGETS says it. (root, service) */}}
{{- define "kefu.targets" -}}
{{- $root := index . 0 }}
{{- $calls := include "kefu.calls" $root | fromYaml }}
{{- $targets := list }}
{{- range (index $calls (index . 1)).calls }}
{{- $targets = append $targets (printf "%s=dns:///%s-%s:%v" . (include "kefu.fullname" $root) . $root.Values.ports.grpc) }}
{{- end }}
{{- join "," $targets }}
{{- end }}
