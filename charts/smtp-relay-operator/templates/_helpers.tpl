{{- define "operator.name" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "operator.selector" -}}
app.kubernetes.io/name: smtp-relay-operator
app.kubernetes.io/instance: {{ include "operator.name" . }}
{{- end -}}

{{/* What every object has, the definition and cluster-wide roles included. */}}
{{- define "operator.releaseLabels" -}}
app.kubernetes.io/part-of: smtp-relay
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/component: operator
{{ include "operator.releaseLabels" . }}
{{- end -}}

{{/* Of the pod of `helm test`, which no selector of the operator's may match. */}}
{{- define "operator.testSelector" -}}
app.kubernetes.io/name: smtp-relay-operator-test
app.kubernetes.io/instance: {{ include "operator.name" . }}
{{- end -}}

{{- define "operator.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "operator.name" .) -}}
{{- end -}}

{{- define "operator.namespaces" -}}
{{- .Values.namespaces | default (list .Release.Namespace) | uniq | join "," -}}
{{- end -}}

{{/* What the operator elects by; its id keeps it apart from others. */}}
{{- define "operator.lease" -}}
smtp-relay-operator{{ with .Values.controllerId }}-{{ . }}{{ end }}
{{- end -}}

{{/* Labels as a flag has them: key=value,key=value */}}
{{- define "operator.pairs" -}}
{{- $pairs := list -}}
{{- range $key, $value := . }}{{ $pairs = append $pairs (printf "%s=%s" $key $value) }}{{ end -}}
{{- join "," $pairs -}}
{{- end -}}

{{/* A reference: (dict "image" .Values.image "root" $). */}}
{{- define "operator.reference" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "operator.image" -}}
{{- include "operator.reference" (dict "image" .Values.image "root" .) -}}
{{- end -}}

{{- define "operator.relayImage" -}}
{{- include "operator.reference" (dict "image" .Values.relayImage "root" .) -}}
{{- end -}}

{{/* What Pod Security's level restricted asks of a pod, and of each container. */}}
{{- define "operator.podSecurity" -}}
runAsNonRoot: true
runAsUser: 2525
runAsGroup: 2525
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The metadata of an object that its own values give more labels and annotations:
     (dict "name" name "values" .Values.alerts "root" $). */}}
{{- define "operator.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- mergeOverwrite (include "operator.labels" .root | fromYaml) .values.labels | toYaml | nindent 2 }}
{{- with .values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
