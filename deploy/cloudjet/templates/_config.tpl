{{/*
The settings that all services share: the data of `cloudjet-config`. What belongs to one service stands in its own
`env`, and secrets are files.
*/}}
{{- define "cloudjet.config" -}}
CLOUDJET_ENV: {{ .Values.environment }}
{{- range $name := include "cloudjet.enabled" . | fromYamlArray }}
{{- $service := include "cloudjet.service" (dict "root" $ "name" $name) | fromYaml }}
{{ upper $name }}_SERVICE_PORT: {{ int $service.port | quote }}
{{- end }}
DB_HOST: {{ .Values.database.host | quote }}
DB_PORT: {{ int .Values.database.port | quote }}
DB_NAME: {{ .Values.database.name | quote }}
DB_USER: {{ .Values.database.user | quote }}
DB_POOL_SIZE: {{ int .Values.database.poolSize | quote }}
{{- if .Values.redis.host }}
REDIS_HOST: {{ .Values.redis.host | quote }}
REDIS_PORT: {{ int .Values.redis.port | quote }}
REDIS_DB: {{ int .Values.redis.db | quote }}
REDIS_SSL: {{ .Values.redis.tls | quote }}
{{- end }}
BOOTPAY_API_URL: {{ .Values.bootpay.apiUrl | quote }}
{{- with .Values.bootpay.applicationId }}
BOOTPAY_APPLICATION_ID: {{ . | quote }}
{{- end }}
{{- with .Values.bootpay.clientKey }}
BOOTPAY_CLIENT_KEY: {{ . | quote }}
{{- end }}
{{- with .Values.bootpay.restApplicationId }}
BOOTPAY_REST_APPLICATION_ID: {{ . | quote }}
{{- end }}
{{- with .Values.news.url }}
NEWS_URL: {{ . | quote }}
{{- end }}
CORS_ENABLED: {{ ne .Values.mesh.mode "sidecar" | quote }}
CORS_ALLOWED_ORIGINS: {{ join "," .Values.http.allowedOrigins | quote }}
{{- $gateway := include "cloudjet.service" (dict "root" . "name" "gateway") | fromYaml }}
TRUSTED_PROXY_HOPS: {{ add (int .Values.http.trustedProxyHops) (ternary 1 0 $gateway.enabled) | quote }}
SHUTDOWN_DELAY_SECONDS: {{ int .Values.shutdown.delaySeconds | quote }}
LOG_FORMAT: json
LOG_LEVEL: {{ .Values.telemetry.logLevel | quote }}
{{- with .Values.telemetry.otlpEndpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . | quote }}
OTEL_TRACES_SAMPLER: {{ $.Values.telemetry.sampler }}
OTEL_TRACES_SAMPLER_ARG: {{ $.Values.telemetry.samplerArg | quote }}
{{- end }}
{{- if $gateway.enabled }}
UPSTREAM_TIMEOUT_SECONDS: {{ int .Values.http.timeoutSeconds | quote }}
{{- range $name := include "cloudjet.enabled" . | fromYamlArray }}
{{- if ne $name "gateway" }}
{{- $service := include "cloudjet.service" (dict "root" $ "name" $name) | fromYaml }}
{{ upper $name }}_SERVICE_URL: http://{{ include "cloudjet.name" $name }}.{{ $service.namespace }}.svc.cluster.local
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* What one service is told otherwise than all, or alone. Callers read it with `fromYaml`. */}}
{{- define "cloudjet.ownSettings" -}}
{{- $own := deepCopy .service.env -}}
{{- if eq .name "gateway" -}}
{{- /* It stands one proxy nearer to the world than the others. */}}
{{- $_ := set $own "TRUSTED_PROXY_HOPS" (int .root.Values.http.trustedProxyHops | toString) -}}
{{- end -}}
{{- with .service.database.host }}{{ $_ := set $own "DB_HOST" . }}{{ end -}}
{{- with .service.database.port }}{{ $_ := set $own "DB_PORT" (int . | toString) }}{{ end -}}
{{- with .service.database.user }}{{ $_ := set $own "DB_USER" . }}{{ end -}}
{{- with .service.database.poolSize }}{{ $_ := set $own "DB_POOL_SIZE" (int . | toString) }}{{ end -}}
{{- toYaml $own -}}
{{- end }}
