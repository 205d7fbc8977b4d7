//! `lapsed reload`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};

pub(super) async fn reload(client: &Client, output: Output) -> Outcome {
    let view = client.reload().await?;
    output.print(&view)?;
    Ok(if view.loaded { Exit::Fine } else { Exit::Failure })
}
