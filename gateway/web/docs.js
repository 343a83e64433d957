// The key that was given on the page in this tab goes with what is asked here.
function withKey(request) {
  let key = null;
  try { key = sessionStorage.getItem('triton-gateway:key'); } catch { /* the browser keeps nothing */ }
  if (key && !request.headers.Authorization && new URL(request.url, location.href).origin === location.origin) request.headers.Authorization = `Bearer ${key}`;
  return request;
}

SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null, requestInterceptor: withKey });
