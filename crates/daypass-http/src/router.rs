//! From a request to the operation that answers it: the routers.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use daypass_service::Service;
use http::header::X_CONTENT_TYPE_OPTIONS;
use http::{HeaderValue, Method};

use crate::call::{App, Call};
use crate::cors;
use crate::csrf::{origin_of_issuer, path_of_issuer};
use crate::oauth_error::OAuthError;
use crate::options::{HttpOptions, MetricsAt};
use crate::problem::Problem;
use crate::routes::{self, ErrorForm, Place, Resource};

/// The whole service over HTTP, below the issuer's path.
///
/// Merge it into an application's router, or run it by itself with [`serve`](crate::serve):
///
/// ```
/// # fn embedded(service: daypass_service::Service) -> axum::Router {
/// let mut options = daypass_http::HttpOptions::default();
/// options.answer_unknown_paths = false;
/// axum::Router::new().merge(daypass_http::router(service, options))
/// # }
/// ```
///
/// # Panics
/// Where the issuer's path holds braces, which no URL's does.
pub fn router(service: Service, options: HttpOptions) -> Router {
    let here = options.metrics == MetricsAt::Loopback;
    let resources = routes::RESOURCES.iter().filter(|resource| here || resource.path != routes::METRICS);
    build(service, options, resources)
}

/// Health, readiness and metrics, for a listener of their own that only the operator reaches: here
/// metrics are answered to everybody, and nothing stands below the issuer's path.
///
/// ```
/// # async fn beside(service: daypass_service::Service) -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:9100").await?;
/// let router = daypass_http::operations_router(service);
/// daypass_http::serve(listener, router, daypass_http::ServeOptions::default(), std::future::pending()).await
/// # }
/// ```
pub fn operations_router(service: Service) -> Router {
    let app = app(service, HttpOptions::default());
    routes::OPERATIONS.iter().fold(fallback(Router::new()), |router, resource| {
        router.route(resource.path, handler(&app, resource))
    })
}

fn build<'r>(
    service: Service,
    options: HttpOptions,
    resources: impl Iterator<Item = &'r &'static Resource>,
) -> Router {
    let unknown = options.answer_unknown_paths;
    let app = app(service, options);
    let base = path_of_issuer(&app.service.config().issuer).to_owned();
    let router = resources.fold(Router::new(), |router, resource| {
        let path = match resource.place {
            Place::BelowIssuer => format!("{base}{}", resource.path),
            // RFC 8414 section 3.1 inserts itself before the issuer's path.
            Place::BeforePath => format!("{}{base}", resource.path),
        };
        router.route(&path, handler(&app, resource))
    });
    if unknown { fallback(router) } else { router }
}

fn app(service: Service, options: HttpOptions) -> Arc<App> {
    let origin = origin_of_issuer(&service.config().issuer);
    Arc::new(App { service, options, origin })
}

fn fallback(router: Router) -> Router {
    router.fallback(|| async { finish(Problem::not_found().into_response()) })
}

fn handler(app: &Arc<App>, resource: &'static Resource) -> axum::routing::MethodRouter {
    let app = Arc::clone(app);
    any(move |request: Request| answer(app, resource, request))
}

async fn answer(app: Arc<App>, resource: &'static Resource, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
    let origin = resource.cors.judge(&parts.headers, &app.options.allowed_origins);
    let operation = resource.operations.iter().find(|operation| operation.method == *method);
    let (mut response, preflight) = match operation {
        Some(operation) => ((operation.answer)(Call::new(Arc::clone(&app), parts, body)).await, false),
        None => match cors::preflight(&parts.method, &parts.headers, &resource.allow()) {
            Some(response) => (response, true),
            None => (not_allowed(resource), false),
        },
    };
    resource.cors.vary(&mut response, &app.options.allowed_origins);
    resource.cors.decorate(&mut response, origin, preflight);
    tracing::debug!(resource = resource.path, status = response.status().as_u16(), "answered");
    finish(response)
}

fn not_allowed(resource: &Resource) -> Response {
    let allow = resource.allow();
    match resource.errors {
        ErrorForm::Problem => Problem::method_not_allowed(allow).into_response(),
        ErrorForm::OAuth => OAuthError::method_not_allowed(allow).into_response(),
    }
}

/// What every answer says.
fn finish(mut response: Response) -> Response {
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
