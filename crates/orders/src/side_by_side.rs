//! Steps that wait for the provider, several side by side: one that hangs is no delay of the others'.

use futures_util::{StreamExt as _, stream};

/// How many are under way at once.
const AT_ONCE: usize = 8;

/// Takes a step with each of `due`, and answers whether any was to be taken. All come to their ends, also where one
/// fails.
pub(crate) async fn side_by_side<T, Step>(due: Vec<T>, step: impl FnMut(T) -> Step) -> sqlx::Result<bool>
where
    Step: Future<Output = sqlx::Result<bool>>,
{
    let taken: Vec<_> = stream::iter(due.into_iter().map(step)).buffer_unordered(AT_ONCE).collect().await;
    taken.into_iter().try_fold(false, |worked, taken| Ok(worked | taken?))
}
