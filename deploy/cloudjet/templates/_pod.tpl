{{/*
What every pod of ours is allowed: nothing but to run. It satisfies the `restricted` Pod Security Standard.
*/}}
{{- define "cloudjet.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "cloudjet.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "cloudjet.pullSecrets" -}}
{{- with .Values.image.pullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end -}}
{{- end }}

{{/* Whoever tidies nodes leaves a pod alone that would have to begin again. */}}
{{- define "cloudjet.undisturbed" -}}
karpenter.sh/do-not-disrupt: "true"
cluster-autoscaler.kubernetes.io/safe-to-evict: "false"
{{- end }}

{{/* What all pods have in common that run to their end. Their caller gives `root` and `account`. */}}
{{- define "cloudjet.onceOnly" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: false
enableServiceLinks: false
restartPolicy: Never
{{- with include "cloudjet.pullSecrets" .root }}
{{ . }}
{{- end }}
securityContext:
  {{- include "cloudjet.podSecurity" .root | nindent 2 }}
{{- end }}

{{/* What a service's program is told. Its caller gives `root`, `name`, `service`. */}}
{{- define "cloudjet.environment" -}}
{{- $secrets := include "cloudjet.secretKeys" . | fromYamlArray -}}
{{- $settings := include "cloudjet.ownSettings" . | fromYaml -}}
{{- if .root.Values.configMap.read -}}
envFrom:
  - configMapRef: { name: cloudjet-config }
{{- else -}}
{{- $settings = merge $settings (include "cloudjet.config" .root | fromYaml) -}}
{{- end }}
{{- if or $secrets $settings }}
env:
  {{- range $key := $secrets }}
  - { name: {{ $key }}_FILE, value: /run/secrets/cloudjet/{{ $key }} }
  {{- end }}
  {{- range $key, $value := $settings }}
  - { name: {{ $key }}, value: {{ $value | quote }} }
  {{- end }}
{{- end }}
{{- end }}

{{- define "cloudjet.mounts" -}}
- { name: tmp, mountPath: /tmp }
{{- if include "cloudjet.secretKeys" . | fromYamlArray }}
- { name: secrets, mountPath: /run/secrets/cloudjet, readOnly: true }
{{- end }}
{{- end }}

{{/* Of the secret only what the program reads, as files: no environment that a crash report would print. */}}
{{- define "cloudjet.volumes" -}}
- name: tmp
  emptyDir: { sizeLimit: 16Mi }
{{- with include "cloudjet.secretKeys" . | fromYamlArray }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ $.root.Values.secrets.name }}
          items:
            {{- range $key := . }}
            - { key: {{ $key }}, path: {{ $key }} }
            {{- end }}
{{- end }}
{{- end }}

{{/* What a service's pods are replaced for, and how their proxy behaves. */}}
{{- define "cloudjet.podAnnotations" -}}
{{- $values := .root.Values -}}
{{- if $values.configMap.read }}
checksum/config: {{ include "cloudjet.config" .root | sha256sum }}
{{- end }}
{{- if and $values.secrets.revision (include "cloudjet.secretKeys" . | fromYamlArray) }}
cloudjet/secrets-revision: {{ $values.secrets.revision | quote }}
{{- end }}
{{- if eq $values.mesh.mode "sidecar" }}
proxy.istio.io/config: '{ "holdApplicationUntilProxyStarts": true, "terminationDrainDuration": "{{ sub (int $values.shutdown.graceSeconds) 5 }}s" }'
{{- end }}
{{- end }}

{{/* A service's pod. Its caller gives `root`, `name`, `service`. */}}
{{- define "cloudjet.pod" -}}
{{- $root := .root -}}
{{- $service := .service -}}
{{- $full := include "cloudjet.name" .name -}}
{{- $version := include "cloudjet.podVersion" . -}}
metadata:
  labels:
    {{- include "cloudjet.selector" .name | nindent 4 }}
    service: {{ $full }}
    version: {{ $version | quote }}
    app.kubernetes.io/name: cloudjet
    app.kubernetes.io/instance: {{ $root.Release.Name }}
    app.kubernetes.io/component: {{ .name }}
    app.kubernetes.io/version: {{ $version | quote }}
    {{- if not (include "cloudjet.isRollout" $service) }}
    cloudjet/role: active
    {{- end }}
  {{- with include "cloudjet.podAnnotations" . | trim }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ $full }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int $root.Values.shutdown.graceSeconds }}
  {{- with $root.Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with include "cloudjet.pullSecrets" $root }}
  {{- . | nindent 2 }}
  {{- end }}
  securityContext:
    {{- include "cloudjet.podSecurity" $root | nindent 4 }}
  topologySpreadConstraints:
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "cloudjet.selector" $.name | nindent 10 }}
      matchLabelKeys: [{{ if include "cloudjet.isRollout" $service }}rollouts-pod-template-hash{{ else }}pod-template-hash{{ end }}]
    {{- end }}
  containers:
    - name: {{ $full }}
      image: {{ include "cloudjet.image" (dict "root" $root "program" $full "digest" $service.digest) }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      ports:
        - { name: http, containerPort: {{ int $service.port }} }
        - { name: internal, containerPort: {{ add (int $service.port) 1000 }} }
      {{- include "cloudjet.environment" . | nindent 6 }}
      startupProbe:
        httpGet: { path: /startupz, port: internal }
        periodSeconds: 1
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /livez, port: internal }
        periodSeconds: 10
        timeoutSeconds: 2
      readinessProbe:
        httpGet: { path: /readyz, port: internal }
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 2
      # Whoever routes here has time to learn that this pod goes, before the process is told.
      lifecycle:
        preStop:
          sleep: { seconds: {{ int $root.Values.shutdown.preStopSeconds }} }
      resources:
        {{- toYaml $service.resources | nindent 8 }}
      securityContext:
        {{- include "cloudjet.containerSecurity" $root | nindent 8 }}
      volumeMounts:
        {{- include "cloudjet.mounts" . | nindent 8 }}
  volumes:
    {{- include "cloudjet.volumes" . | nindent 4 }}
{{- end }}
