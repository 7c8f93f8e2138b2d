//! Requests and answers whose bodies are streams: for files. The same clients, the same address policy as every call.

use http::{Request, Response};
use reqwest::Body;

use super::{Http, classify, guard};
use crate::error::Result;
use crate::outcome::{Code, Failure, Trouble};

/// A way to one place, under the consent it has.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    client: reqwest::Client,
    allow_private: bool,
    plain_http: bool,
}

impl Http {
    /// The way to what lies behind `endpoint`.
    ///
    /// # Errors
    /// Only a defect of ours: no client could be built.
    pub(crate) fn streams(&self, endpoint: &url::Url, allow_private: bool) -> Result<Streams> {
        let plain_http = endpoint.scheme() == "http";
        Ok(Streams {
            client: self.client(allow_private, plain_http)?.clone(),
            allow_private,
            plain_http,
        })
    }
}

impl Streams {
    /// Sends, and returns once the headers of the answer are there. Sets no deadline.
    pub(crate) async fn carry(&self, request: Request<Body>) -> Result<Response<Body>, Failure> {
        let (scheme, host) = (request.uri().scheme_str(), request.uri().authority());
        let (Some(scheme), Some(host)) = (scheme, host) else {
            return Err(Failure::new(Code::Internal));
        };
        let plain_http = scheme == "http";
        if guard::check_url(&format!("{scheme}://{host}/"), self.allow_private).is_err()
            || plain_http != self.plain_http
        {
            return Err(Failure::new(Code::BlockedAddress));
        }
        let request = reqwest::Request::try_from(request)
            .map_err(|_| Failure::trouble(Code::Unreachable, Trouble::NotHttp))?;
        let response = self
            .client
            .execute(request)
            .await
            .map_err(|error| classify(&error))?;
        // As for every call: a peer that is none of the permitted addresses was somebody else's choice.
        if response
            .remote_addr()
            .is_some_and(|peer| !guard::allowed(peer.ip(), self.allow_private, plain_http))
        {
            return Err(Failure::new(Code::BlockedAddress));
        }
        Ok(response.into())
    }
}
