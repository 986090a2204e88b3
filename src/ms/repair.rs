//! The mark of a column that is being rewritten, and its refusal by readers.

use super::error::Error;
use crate::casatable::Table;

/// Keyword of MAIN that names the column being rewritten and the step that does it.
pub(super) const MARK: &str = "CONTIMG_WRITING";

/// # Errors
/// [`Error::Interrupted`] when the mark is there.
pub(super) fn refuse_interrupted(main: &Table) -> Result<(), Error> {
    if !main.keywords("")?.iter().any(|k| k == MARK) {
        return Ok(());
    }
    let mut texts = main.keyword_text("", MARK)?.unwrap_or_default().into_iter();
    let column = texts.next().unwrap_or_default();
    let step = texts.next().unwrap_or_default();
    Err(Error::Interrupted { path: main.path().to_path_buf(), column, step })
}
