{{/*
How Argo Rollouts brings a new version in. The `cloudjet/role` label says which pods are the world's: `<x>-service` finds
those alone, so that nobody reaches a version that was not promoted.
*/}}
{{- define "cloudjet.blueGreen" -}}
blueGreen:
  activeService: {{ .full }}-active
  previewService: {{ .full }}-preview
  previewReplicaCount: {{ int .strategy.previewReplicas }}
  autoPromotionEnabled: {{ .strategy.autoPromotion }}
  {{- if .strategy.autoPromotion }}
  autoPromotionSeconds: {{ int .strategy.autoPromotionSeconds }}
  {{- end }}
  # Longer than the analysis after the switch: until then the old version can be had back at once.
  scaleDownDelaySeconds: {{ int .strategy.scaleDownDelaySeconds }}
  # No more than one old version stays: the database's connections are counted for two.
  scaleDownDelayRevisionLimit: 1
  abortScaleDownDelaySeconds: 30
  activeMetadata: { labels: { cloudjet/role: active } }
  previewMetadata: { labels: { cloudjet/role: preview } }
  {{- if .root.Values.analysis.enabled }}
  prePromotionAnalysis:
    {{- include "cloudjet.analysisRef" (dict "root" .root "template" "cloudjet-preview-answers" "service" (printf "%s-preview" .full)) | nindent 4 }}
  postPromotionAnalysis:
    {{- include "cloudjet.analysisRef" (dict "root" .root "template" "cloudjet-serves-well" "service" (printf "%s-active" .full)) | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "cloudjet.canary" -}}
{{- $root := .root -}}
{{- $service := .service -}}
canary:
  stableService: {{ .full }}-active
  canaryService: {{ .full }}-preview
  maxSurge: {{ int $service.strategy.maxSurge }}
  maxUnavailable: 0
  stableMetadata: { labels: { cloudjet/role: active } }
  canaryMetadata: { labels: { cloudjet/role: preview } }
  trafficRouting:
    {{- if eq $root.Values.mesh.mode "sidecar" }}
    istio:
      virtualService:
        name: cloudjet-vs.{{ $root.Values.defaults.namespace }}
        routes:
          {{- range index (include "cloudjet.routes" $root | fromYaml) .name }}
          - {{ include "cloudjet.routeName" (dict "name" $.name "route" .) }}
          {{- end }}
    {{- else }}
    # The plugin must be installed with Argo Rollouts.
    plugins:
      argoproj-labs/gatewayAPI: { httpRoute: {{ .full }}, namespace: {{ $service.namespace }} }
    {{- end }}
  steps:
    {{- range $weight := $service.strategy.canarySteps }}
    - setWeight: {{ int $weight }}
    - pause: { duration: {{ int $service.strategy.canaryPauseSeconds }}s }
    {{- if $root.Values.analysis.enabled }}
    - analysis:
        {{- include "cloudjet.analysisRef" (dict "root" $root "template" "cloudjet-serves-well" "service" (printf "%s-preview" $.full)) | nindent 8 }}
    {{- end }}
    {{- end }}
{{- end }}

{{/* How long a version is judged, at most. */}}
{{- define "cloudjet.analysisSeconds" -}}
{{- if .Values.analysis.enabled -}}
{{ add 60 (mul (int .Values.analysis.count) (int .Values.analysis.intervalSeconds)) }}
{{- else -}}
0
{{- end -}}
{{- end }}

{{- define "cloudjet.analysisRef" -}}
templates:
  - templateName: {{ .template }}
args:
  - { name: service, value: {{ .service }} }
{{- if .root.Values.analysis.dryRun }}
dryRun:
  - metricName: ".*"
{{- end }}
{{- end }}
