//! `build`: the zip that deploy would upload.

use std::process::ExitCode;

use serde_json::json;

use super::session;
use crate::artifact::Linkage;
use crate::cli::{Build, Global};
use crate::error::{Error, Result};
use crate::files;
use crate::settings;
use crate::ui::Ui;

pub(super) async fn run(global: &Global, args: &Build, ui: &Ui) -> Result<ExitCode> {
    let loaded = settings::load(global)?;
    let artifact = session::build(&loaded.config, ui).await?;
    let zip = match &args.output {
        Some(output) => {
            files::write(output, &artifact.read()?).map_err(|error| {
                Error::unwritable(output, error, "name another file with --output")
            })?;
            output
        }
        None => &artifact.zip,
    };
    if ui.json {
        let mut document = json!(artifact);
        document["zip"] = json!(zip);
        ui.document(&document)?;
        return Ok(ExitCode::SUCCESS);
    }
    let linkage = match artifact.linkage {
        Linkage::Static => "static, needs no libraries".to_owned(),
        linkage => format!("{linkage} (provided.al2023 has 2.34)"),
    };
    ui.say(&format!(
        "handler for `{}`{}\n  zip           {}\n  CodeSha256    {}\n  size          {} KB\n  architecture  {}\n  linkage       {linkage}",
        loaded.config.directory.kind(),
        if artifact.cached { " (cached)" } else { "" },
        zip.display(),
        artifact.code_sha256,
        artifact.size / 1000,
        artifact.architecture.as_str(),
    ));
    Ok(ExitCode::SUCCESS)
}
