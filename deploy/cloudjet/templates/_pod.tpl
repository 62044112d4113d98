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

{{/* A service's pod. Its caller gives `root`, `name`, `service`. */}}
{{- define "cloudjet.pod" -}}
{{- $root := .root -}}
{{- $service := .service -}}
{{- $full := include "cloudjet.name" .name -}}
{{- $secrets := include "cloudjet.secretKeys" . | fromYamlArray -}}
metadata:
  labels:
    {{- include "cloudjet.selector" .name | nindent 4 }}
    service: {{ $full }}
    version: {{ include "cloudjet.version" $root | quote }}
    app.kubernetes.io/name: cloudjet
    app.kubernetes.io/instance: {{ $root.Release.Name }}
    app.kubernetes.io/component: {{ .name }}
    app.kubernetes.io/version: {{ include "cloudjet.version" $root | quote }}
    {{- if not (include "cloudjet.isRollout" $service) }}
    cloudjet/role: active
    {{- end }}
  annotations:
    checksum/config: {{ include "cloudjet.config" $root | sha256sum }}
    {{- if eq $root.Values.mesh.mode "sidecar" }}
    proxy.istio.io/config: '{ "holdApplicationUntilProxyStarts": true, "terminationDrainDuration": "{{ sub (int $root.Values.shutdown.graceSeconds) 5 }}s" }'
    {{- end }}
spec:
  serviceAccountName: {{ $full }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int $root.Values.shutdown.graceSeconds }}
  {{- with $root.Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext:
    {{- include "cloudjet.podSecurity" $root | nindent 4 }}
  topologySpreadConstraints:
    {{- range $key, $when := dict "topology.kubernetes.io/zone" "ScheduleAnyway" "kubernetes.io/hostname" "ScheduleAnyway" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: {{ $when }}
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
      envFrom:
        - configMapRef: { name: cloudjet-config }
      {{- $env := $service.env }}
      {{- if eq .name "gateway" }}
      {{- /* It stands one proxy nearer to the world than the others. */}}
      {{- $env = merge (dict "TRUSTED_PROXY_HOPS" (int $root.Values.http.trustedProxyHops)) $env }}
      {{- end }}
      {{- if or $secrets $env }}
      env:
        {{- range $key := $secrets }}
        - { name: {{ $key }}_FILE, value: /run/secrets/cloudjet/{{ $key }} }
        {{- end }}
        {{- range $key, $value := $env }}
        - { name: {{ $key }}, value: {{ $value | quote }} }
        {{- end }}
      {{- end }}
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
        - { name: tmp, mountPath: /tmp }
        {{- if $secrets }}
        - { name: secrets, mountPath: /run/secrets/cloudjet, readOnly: true }
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: { sizeLimit: 16Mi }
    {{- if $secrets }}
    # Only what this service reads, as files: no environment that a crash report would print.
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          - secret:
              name: {{ $root.Values.secrets.name }}
              items:
                {{- range $key := $secrets }}
                - { key: {{ $key }}, path: {{ $key }} }
                {{- end }}
    {{- end }}
{{- end }}
