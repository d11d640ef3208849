//! `headwater proxy-url`: signs the URL of a proxied stream by hand, with the configuration of the server.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ArgMatches;
use headwater_proxy::{GenerationId, ProxyConfig};

use crate::failure::Failure;
use crate::settings::{Config, Problem};
use crate::{configuration, output};

/// Prints the signed URL of the stream that the flags name.
pub(crate) fn proxy_url(flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let text = flags.get_one::<String>("id").expect("clap asks for it");
    let id = GenerationId::parse(text)
        .ok_or_else(|| Failure::Usage(format!("{text:?} is no id of a proxied stream; ids look like 0190c3a2-…")))?;
    let config = configuration(flags)?;
    let proxy = config.proxy().map_err(|problem| Failure::Configuration(vec![Problem(problem)]))?;
    let without = "there is no secret to sign with; give --proxy-secret-file, or the --config of the server";
    let proxy = proxy.ok_or_else(|| Failure::Usage(without.to_owned()))?;
    output::result(&format!("{}\n", signed(&config, &proxy, id)))?;
    Ok(ExitCode::SUCCESS)
}

fn signed(config: &Config, proxy: &ProxyConfig, id: GenerationId) -> String {
    // A clock before 1970 signs URLs that have expired.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let expires = now.saturating_add(proxy.limits.lifetime).as_secs();
    let origin = match config.optional_text("public-url") {
        Some(url) => url.to_owned(),
        None => format!("http://{}", config.address("listen")),
    };
    let signature = proxy.secrets.sign(&id.to_string(), expires);
    format!("{origin}/v1/proxy/{id}?expires={expires}&signature={signature}")
}
