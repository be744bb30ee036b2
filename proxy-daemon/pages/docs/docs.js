// Swagger UI on the gateway's own document: nothing is loaded from anywhere else, no validator is asked.
window.ui = window.SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#documentation',
  deepLinking: true,
  docExpansion: 'list',
  filter: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  validatorUrl: null,
  queryConfigEnabled: false,
});
