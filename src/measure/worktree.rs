//! The worktrees of a session, under the git directory; removed when the session ends, however it ends.
