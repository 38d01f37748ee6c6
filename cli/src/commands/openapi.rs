//! `aisle openapi`: the API's document, for those who make clients from it.

use crate::output;

/// Prints the document.
pub(crate) fn run() -> anyhow::Result<()> {
    output::answer(&aisle_openapi::document())?;
    Ok(())
}
