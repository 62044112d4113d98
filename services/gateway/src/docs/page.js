// The page over /openapi.json. Two things make "Execute" work at once on demo data: the day in the examples is
// tomorrow, and whoever logs in with "Execute" is signed in on the whole page.

const EXAMPLE_DAY = "2026-12-01";

// Flights are searched by the calendar of Seoul.
const tomorrow = new Intl.DateTimeFormat("en-CA", { timeZone: "Asia/Seoul" }).format(Date.now() + 24 * 60 * 60 * 1000);

const page = SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#page",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  defaultModelExpandDepth: 4,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  responseInterceptor(response) {
    const path = new URL(response.url, location.href).pathname;
    if (path.endsWith("/openapi.json")) {
      response.text = response.text.replaceAll(EXAMPLE_DAY, tomorrow);
    } else if (path.endsWith("/api/auth/login") && response.ok) {
      page.preauthorizeApiKey("bearer", JSON.parse(response.text).token);
    }
    return response;
  },
});
