//! All routes, and the description that is made from them.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::response::IntoResponse;
use http::{Method, StatusCode, Uri, header};
use signalbox_core::Hub;
use signalbox_core::deliveries::Order;
use signalbox_core::integrations::Kind;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Problem;
use crate::{
    Changed, automations, changes, deliveries, events, files, integrations, overview, problems,
    replays, sms, snippets, tokens, webhooks, workspaces,
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Signalbox",
        description = "The loopback API of Signalbox: post events, read what became of them, look after webhooks. It answers on this computer only.",
        license(name = "MIT", identifier = "MIT"),
    ),
    servers((url = "http://127.0.0.1:7465")),
    components(schemas(Problem, Changed, Order, Kind)),
)]
struct Description;

fn routes() -> OpenApiRouter<Arc<Hub>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(overview::health))
        .routes(routes!(overview::today))
        .routes(routes!(overview::connection))
        .routes(routes!(overview::settings, overview::update_settings))
        .routes(routes!(overview::clean_up))
        .routes(routes!(overview::doctor))
        .routes(routes!(integrations::list))
        .routes(routes!(
            integrations::configure,
            integrations::update,
            integrations::disconnect
        ))
        .routes(routes!(integrations::test))
        .routes(routes!(integrations::send_email))
        .routes(routes!(sms::send))
        .routes(routes!(sms::preview))
        .routes(routes!(sms::status))
        .routes(routes!(integrations::authorize))
        .routes(routes!(integrations::sign_in))
        .routes(routes!(integrations::calendars))
        .routes(routes!(integrations::create_entry))
        .routes(routes!(
            integrations::update_entry,
            integrations::delete_entry
        ))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::get, webhooks::update, webhooks::remove))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::test_filter))
        .routes(routes!(webhooks::preview))
        .routes(routes!(automations::list, automations::create))
        .routes(routes!(
            automations::get,
            automations::update,
            automations::remove
        ))
        .routes(routes!(automations::preview_draft))
        .routes(routes!(automations::preview))
        .routes(routes!(automations::rehearse))
        .routes(routes!(automations::test))
        .routes(routes!(automations::versions))
        .routes(routes!(automations::restore))
        .routes(routes!(problems::list))
        .routes(routes!(problems::resolve))
        .routes(routes!(snippets::list))
        .routes(routes!(events::list, events::record))
        .routes(routes!(events::record_batch))
        .routes(routes!(events::get))
        .routes(routes!(events::types, events::declare_type))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::histogram))
        .routes(routes!(deliveries::export))
        .routes(routes!(deliveries::stats))
        .routes(routes!(deliveries::story))
        .routes(routes!(deliveries::get))
        .routes(routes!(deliveries::ics))
        .routes(routes!(deliveries::retry))
        .routes(routes!(deliveries::cancel))
        .routes(routes!(deliveries::release))
        .routes(routes!(files::list, files::upload, files::remove))
        .routes(routes!(files::link))
        .routes(routes!(replays::begin))
        .routes(routes!(replays::list))
        .routes(routes!(replays::get))
        .routes(routes!(replays::cancel))
        .routes(routes!(workspaces::list, workspaces::create))
        .routes(routes!(workspaces::update, workspaces::remove))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(changes::feed))
        .routes(routes!(description))
}

/// All routes, for whoever stands in the same process: called without a
/// [`Principal`](crate::Principal), the caller is the owner at the window. The header
/// `Signalbox-Workspace` names the workspace by name or id; without it, it is the first.
pub fn router(hub: Arc<Hub>) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .fallback(async |uri: Uri| {
            Problem::new(
                StatusCode::NOT_FOUND,
                format!("There is nothing at {}.", uri.path()),
            )
        })
        .method_not_allowed_fallback(async |method: Method, uri: Uri| {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("{} does not know the method {method}.", uri.path()),
            )
        })
        .with_state(hub)
}

/// The description of all routes: OpenAPI as JSON, the same bytes at every call.
pub fn openapi() -> &'static str {
    static JSON: LazyLock<String> = LazyLock::new(|| {
        let mut description = routes().into_openapi();
        complete(&mut description);
        serde_json::to_string_pretty(&description).unwrap_or_default() + "\n"
    });
    &JSON
}

/// What is true of every route is said once, here.
fn complete(description: &mut OpenApi) {
    let problem = ResponseBuilder::new()
        .description("What is wrong, as problem+json")
        .content(
            "application/problem+json",
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name(Problem::name())))
                .build(),
        )
        .build();
    for item in description.paths.paths.values_mut() {
        for operation in [
            &mut item.get,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
        ]
        .into_iter()
        .flatten()
        {
            for response in operation.responses.responses.values_mut() {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    response.description = "Done".to_owned();
                }
            }
            operation
                .responses
                .responses
                .insert("default".to_owned(), problem.clone().into());
        }
    }
    let bearer = SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token (`sbt_…`), good for one workspace"))
            .build(),
    );
    description
        .components
        .get_or_insert_default()
        .add_security_scheme("token", bearer);
    description.security = Some(vec![SecurityRequirement::new(
        "token",
        Vec::<String>::new(),
    )]);
}

/// This description.
#[utoipa::path(
    get, path = "/api/openapi.json", operation_id = "getOpenapi", tag = "overview",
    responses((status = 200, description = "OpenAPI", content_type = "application/json", body = serde_json::Value)),
)]
async fn description() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_made_from_the_routes_and_says_how_each_is_refused() {
        let json: serde_json::Value = serde_json::from_str(openapi()).unwrap();
        let paths = json["paths"].as_object().unwrap();
        assert!(!paths.is_empty());
        for (path, item) in paths {
            for (method, operation) in item.as_object().unwrap() {
                assert!(
                    operation["responses"]["default"].is_object(),
                    "{method} {path}"
                );
                assert!(operation["operationId"].is_string(), "{method} {path}");
            }
        }
        let text = openapi();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(
                json["components"]["schemas"][name].is_object(),
                "{name} is not described"
            );
        }
    }
}
