// A custom domain may put a mapping key before every path of the API, this page's too.
const mappingKey = location.pathname.replace(/(\/api)?\/docs$/, "");

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  requestInterceptor: (request) => {
    if (!request.loadSpec) request.url = request.url.replace(location.origin, location.origin + mappingKey);
    return request;
  },
});

// It has a dark theme, and leaves it to the page when to show it.
const dark = matchMedia("(prefers-color-scheme: dark)");
const choose = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", choose);
choose();
