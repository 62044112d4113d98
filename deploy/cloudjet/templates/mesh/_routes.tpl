{{/*
Where requests go: for each service that is on, the paths it answers and those that are another path of its own. The same
table as the gateway program's; a check compares them.
*/}}
{{- define "cloudjet.routes" -}}
auth:
  - { path: /api/health, rewrite: /api/auth/health }
  - { path: /api/user/profile, rewrite: /api/auth/profile }
  - { path: /api/auth }
flight:
  - { path: /api/airports, rewrite: /api/flights/airports }
  - { path: /api/promotions, rewrite: /api/flights/promotions }
  - { path: /api/flights }
booking:
  - { path: /api/bookings }
payment:
  - { path: /api/payments }
admin:
  - { path: /api/admin }
{{- end }}

{{/* What a route is called, so that a canary can be given a share of it. */}}
{{- define "cloudjet.routeName" -}}
{{ .name }}{{ if .route.rewrite }}{{ .route.path | replace "/" "-" }}{{ end }}
{{- end }}
