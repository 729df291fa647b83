//! What clients do: produce, read, commit, make and delete topics. Each call and its outcome goes into the history.
