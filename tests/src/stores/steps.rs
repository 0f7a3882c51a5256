//! Short words for what the tests of single stores do again and again.

use anyhow::{Result, bail, ensure};
use lineshaft::store::{Batch, Change, Store, StoreError, StoreErrorKind};

use super::{Content, Job};

/// A batch that adds plain jobs of these numbers.
pub fn add(numbers: impl IntoIterator<Item = u64>) -> Batch {
    let mut batch = Batch::new();
    numbers.into_iter().for_each(|number| batch.push(&Change::Add(Job::new(number).stored())));
    batch
}

/// A batch that ends one.
pub fn end(number: u64) -> Batch {
    let mut batch = Batch::new();
    batch.push(&Change::End { number });
    batch
}

/// All that a store has.
///
/// # Errors
/// Those of the store.
pub fn content(store: &mut dyn Store) -> Result<Content> {
    let mut content = Content::default();
    store.replay(&mut |change| {
        content.apply(change);
        Ok(())
    })?;
    Ok(content)
}

/// The numbers of its jobs.
///
/// # Errors
/// Those of the store.
pub fn numbers(store: &mut dyn Store) -> Result<Vec<u64>> {
    Ok(content(store)?.jobs.into_keys().collect())
}

/// That it fails so, with a sentence that has all of `words` and no password.
///
/// # Errors
/// When it does not.
pub fn fails<T>(outcome: Result<T, StoreError>, kind: StoreErrorKind, words: &[&str]) -> Result<()> {
    let Err(error) = outcome else { bail!("it does not fail as {kind:?}") };
    let text = error.to_string();
    ensure!(error.kind() == kind, "{:?} is not {kind:?}: {text}", error.kind());
    for word in words {
        ensure!(text.contains(word), "{text:?} does not say {word:?}");
    }
    ensure!(!text.contains("secret"), "{text:?} has a password");
    Ok(())
}
