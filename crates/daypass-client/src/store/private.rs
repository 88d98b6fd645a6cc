//! Files that are for their owner only, from the moment they are there.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// What every file of ours is opened with: if it is new, only its owner may read it; a symbolic link is not
/// followed; nobody hangs on a pipe.
pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;

        use rustix::fs::OFlags;

        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        options.mode(0o600).custom_flags(i32::from_ne_bytes(flags.to_ne_bytes()));
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt as _;

        /// Opens a link itself, which then shows as one.
        const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
        options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    }
    options
}

/// Makes a folder that only its owner may look into, and those above it. One that is there stays as it is.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.recursive(true).create(path)
}

/// Who may do what with a file of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "elsewhere nobody asks"))]
pub(super) enum Access {
    /// Its owner alone, and that is us.
    Ours,
    /// Others could read or write it. They cannot any more.
    Closed,
    /// Others can read or write it, on a file system that cannot forbid it.
    Open,
    /// It belongs to somebody else.
    Theirs,
}

/// Sees to it that nobody else can read `file`, if it is ours.
#[cfg(unix)]
pub(super) fn close(file: &File) -> io::Result<Access> {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    const OTHERS: u32 = 0o077;
    let found = file.metadata()?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Ok(Access::Theirs);
    }
    if found.mode() & OTHERS == 0 {
        return Ok(Access::Ours);
    }
    let closed = file.set_permissions(Permissions::from_mode(0o600)).is_ok();
    Ok(if closed && file.metadata()?.mode() & OTHERS == 0 { Access::Closed } else { Access::Open })
}

/// Elsewhere a file inherits its folder's access list, and a user's own folders are his alone.
#[cfg(not(unix))]
pub(super) fn close(_file: &File) -> io::Result<Access> {
    Ok(Access::Ours)
}
