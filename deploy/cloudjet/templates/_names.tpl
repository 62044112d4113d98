{{/*
A service's settings: the defaults, and over them its own. Callers read it with `fromYaml`.
*/}}
{{- define "cloudjet.service" -}}
{{- $own := index .root.Values.services .name -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.defaults) (deepCopy $own)) -}}
{{- end }}

{{/* The names of the services that are on, in the order of their ports: a YAML list. */}}
{{- define "cloudjet.enabled" -}}
{{- $on := dict -}}
{{- range $name := keys .Values.services -}}
{{- $service := include "cloudjet.service" (dict "root" $ "name" $name) | fromYaml -}}
{{- if $service.enabled -}}{{- $_ := set $on (printf "%05d %s" (int $service.port) $name) $name -}}{{- end -}}
{{- end -}}
{{- $names := list -}}
{{- range $key := keys $on | sortAlpha -}}{{- $names = append $names (index $on $key) -}}{{- end -}}
{{- toYaml $names -}}
{{- end }}

{{/* The namespaces of the services that are on: a YAML list. */}}
{{- define "cloudjet.namespaces" -}}
{{- $namespaces := list -}}
{{- range $name := include "cloudjet.enabled" . | fromYamlArray -}}
{{- $service := include "cloudjet.service" (dict "root" $ "name" $name) | fromYaml -}}
{{- $namespaces = append $namespaces $service.namespace -}}
{{- end -}}
{{- toYaml ($namespaces | uniq | sortAlpha) -}}
{{- end }}

{{/* What a service's objects are called, as in the original's chart. The gateway came later and has no suffix. */}}
{{- define "cloudjet.name" -}}
{{- if eq . "gateway" -}}gateway{{- else -}}{{ . }}-service{{- end -}}
{{- end }}

{{/* Labels that every object has. */}}
{{- define "cloudjet.labels" -}}
app.kubernetes.io/name: cloudjet
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ include "cloudjet.versionLabel" . | quote }}
app.kubernetes.io/part-of: cloudjet
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* What a service's pods are found by; never changes. */}}
{{- define "cloudjet.selector" -}}
app: {{ include "cloudjet.name" . }}
{{- end }}

{{- define "cloudjet.version" -}}
{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* A version as a label: shorter than an image's tag may be. */}}
{{- define "cloudjet.versionLabel" -}}
{{ include "cloudjet.version" . | trunc 54 | trimAll "-_." }}
{{- end }}

{{/* What tells a service's pods of one version from those of another, also where only digests do. */}}
{{- define "cloudjet.podVersion" -}}
{{ include "cloudjet.versionLabel" .root }}
{{- with .service.digest }}-{{ trimPrefix "sha256:" . | trunc 8 }}{{ end }}
{{- end }}

{{/* The image of a program: by digest where one is given. */}}
{{- define "cloudjet.image" -}}
{{- $root := .root -}}
{{- $image := printf "%s/%s%s" $root.Values.image.registry $root.Values.image.prefix .program -}}
{{- if .digest -}}
{{ $image }}:{{ include "cloudjet.version" $root }}@{{ .digest }}
{{- else -}}
{{ $image }}:{{ include "cloudjet.version" $root }}
{{- end -}}
{{- end }}

{{/* Whether a service gets requests through objects that Argo Rollouts switches. */}}
{{- define "cloudjet.isRollout" -}}
{{- if ne .strategy.type "rolling" -}}true{{- end -}}
{{- end }}

{{/* The most replicas that a service can have at once, while a new version takes over. */}}
{{- define "cloudjet.mostReplicas" -}}
{{- $replicas := int .replicas -}}
{{- if ne .autoscaling.type "none" -}}{{- $replicas = int .autoscaling.max -}}{{- end -}}
{{- if eq .strategy.type "blueGreen" -}}{{ mul 2 $replicas }}
{{- else if eq .strategy.type "canary" -}}{{ add $replicas $replicas }}
{{- else -}}{{ add $replicas (int .strategy.maxSurge) }}
{{- end -}}
{{- end }}

{{/*
Who calls services inside the mesh on behalf of the world. In ambient mode Istio makes the gateway's pods itself, and names
their account after the Gateway and its class.
*/}}
{{- define "cloudjet.gatewayPrincipal" -}}
{{- $gateway := .Values.mesh.gateway -}}
{{- $account := $gateway.serviceAccount -}}
{{- if eq .Values.mesh.mode "ambient" -}}{{- $account = printf "%s-%s" $gateway.name $gateway.className -}}{{- end -}}
cluster.local/ns/{{ $gateway.namespace }}/sa/{{ $account }}
{{- end }}

{{/* The service that answers what belongs to nobody: the first one. */}}
{{- define "cloudjet.fallback" -}}
{{- $names := without (include "cloudjet.enabled" . | fromYamlArray) "gateway" -}}
{{- if not $names -}}{{- fail "services: at least one service besides the gateway must be enabled" -}}{{- end -}}
{{- first $names -}}
{{- end }}

{{/* The keys of the secret that a service is given: a YAML list. Some come and go with the value that they belong to. */}}
{{- define "cloudjet.secretKeys" -}}
{{- $values := .root.Values -}}
{{- $keys := .service.secrets -}}
{{- if not $values.redis.host -}}{{- $keys = without $keys "REDIS_PASSWORD" -}}{{- end -}}
{{- if and $values.secrets.acceptFurtherKeys (has "SECRET_KEY" $keys) -}}{{- $keys = append $keys "SECRET_KEYS_ACCEPTED" -}}{{- end -}}
{{- if and $values.bootpay.clientKey (include "cloudjet.callsProvider" .) -}}{{- $keys = append $keys "BOOTPAY_SECRET_KEY" -}}{{- end -}}
{{- if and $values.news.url (eq .name "payment") -}}{{- $keys = append $keys "NEWS_SECRET" -}}{{- end -}}
{{- toYaml ($keys | uniq) -}}
{{- end }}

{{/* What all services of a namespace are given together. Its caller gives `root` and `namespace`. */}}
{{- define "cloudjet.secretKeysOf" -}}
{{- $keys := list -}}
{{- range $name := include "cloudjet.enabled" .root | fromYamlArray -}}
{{- $service := include "cloudjet.service" (dict "root" $.root "name" $name) | fromYaml -}}
{{- if eq $service.namespace $.namespace -}}
{{- $keys = concat $keys (include "cloudjet.secretKeys" (dict "root" $.root "name" $name "service" $service) | fromYamlArray) -}}
{{- end -}}
{{- end -}}
{{- toYaml ($keys | uniq | sortAlpha) -}}
{{- end }}

{{/* Whether a service calls the payment provider. */}}
{{- define "cloudjet.callsProvider" -}}
{{- if has .name (list "booking" "admin" "payment") -}}true{{- end -}}
{{- end }}

{{/* Whether an ambient mesh has proxies that read requests. */}}
{{- define "cloudjet.hasWaypoint" -}}
{{- if and (eq .Values.mesh.mode "ambient") .Values.mesh.waypoint -}}true{{- end -}}
{{- end }}

{{/* What a service's port is found by in an ambient mesh with waypoints, also by those who come through the gateway. */}}
{{- define "cloudjet.waypointLabels" -}}
{{- if include "cloudjet.hasWaypoint" . -}}
istio.io/use-waypoint: waypoint
istio.io/ingress-use-waypoint: "true"
{{- end -}}
{{- end }}

{{/* Where the journey of `helm test` begins: at the world's door, as it has all paths. */}}
{{- define "cloudjet.testUrl" -}}
{{- $gateway := include "cloudjet.service" (dict "root" . "name" "gateway") | fromYaml -}}
{{- if .Values.tests.url -}}{{ .Values.tests.url }}
{{- else if ne .Values.mesh.mode "none" -}}https://{{ .Values.http.apiHost }}
{{- else if $gateway.enabled -}}http://gateway-active.{{ $gateway.namespace }}.svc.cluster.local:{{ int $gateway.port }}
{{- end -}}
{{- end }}

{{/* The port that an address leads to. */}}
{{- define "cloudjet.urlPort" -}}
{{ (urlParse .).host | splitList ":" | rest | first | default (ternary "443" "80" (hasPrefix "https:" .)) }}
{{- end }}

{{/* Whether a host is one of the cluster's own. */}}
{{- define "cloudjet.isInside" -}}
{{- if or (hasSuffix ".svc" .) (hasSuffix ".svc.cluster.local" .) (not (contains "." .)) -}}true{{- end -}}
{{- end }}

{{- define "cloudjet.urlHost" -}}
{{ (urlParse .).host | splitList ":" | first }}
{{- end }}

{{/* A pod that runs to its end has nothing to do in the mesh: a sidecar could outlive it, and it calls nobody in there. */}}
{{- define "cloudjet.outsideMesh" -}}
sidecar.istio.io/inject: "false"
istio.io/dataplane-mode: none
{{- end }}

{{/* In which wave Argo CD applies an object. */}}
{{- define "cloudjet.wave" -}}
argocd.argoproj.io/sync-wave: {{ . | quote }}
{{- end }}

{{/* Helm runs what the migration needs before anything else of a release; Argo CD in waves of its sync, after the secrets. */}}
{{- define "cloudjet.migrationHook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-delete-policy: before-hook-creation
argocd.argoproj.io/hook: Sync
argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
{{- end }}
