//! The file itself: read whole, and replaced whole.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::Step;
use crate::store::format::LONGEST;
use crate::store::private::{self, Access};
use crate::store::{StoreError, Version};

/// The ending of a file that is not complete yet.
const UNFINISHED: &[u8] = b".tmp";

/// Where a session is, and what stands beside it.
#[derive(Debug)]
pub(in crate::store) struct Place {
    folder: PathBuf,
    name: OsString,
}

impl Place {
    /// Makes the folder if there is none.
    pub(in crate::store) fn new(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this path names no file"));
        };
        private::create_folder(folder)?;
        Ok(Self { folder: folder.to_owned(), name: name.to_owned() })
    }

    pub(in crate::store) fn file(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// The file of the same name with an ending more.
    pub(in crate::store) fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.name.clone();
        name.push(ending);
        self.folder.join(name)
    }

    /// Reads the file. `None` if there is none.
    pub(super) fn read(&self) -> Result<Option<Contents>, StoreError> {
        let path = self.file();
        let file = match private::options().read(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused(&path, error)),
        };
        if !file.metadata()?.is_file() {
            return Err(StoreError::Foreign("it is no regular file"));
        }
        let access = private::close(&file)?;
        if access == Access::Theirs {
            return Err(StoreError::Foreign("it belongs to another user"));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
        file.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
        Ok(Some(Contents { bytes, access }))
    }

    /// Puts `bytes` in the file's place, so that a reader sees all of it or none, even after a power cut. Whoever
    /// calls this holds the writers' lock.
    pub(super) fn replace(&self, bytes: &[u8], version: Version, passed: impl Fn(Step)) -> io::Result<()> {
        let unfinished = self.unfinished(version);
        let replaced = write(&unfinished, bytes).and_then(|()| {
            passed(Step::Written);
            fs::rename(&unfinished, self.file())
        });
        if let Err(error) = replaced {
            // If this fails too, whoever writes next does it.
            let _left_to_the_next = fs::remove_file(&unfinished);
            return Err(error);
        }
        passed(Step::Renamed);
        self.sync()
    }

    /// Sees to it that the file's name is on the disk, whoever gave it.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync_folder(&self.folder)
    }

    /// Removes what killed writers left. Whoever calls this holds the writers' lock: nobody else is writing.
    pub(super) fn clean(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if self.is_unfinished(entry.file_name().as_encoded_bytes()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Gives the file another name, under which nothing looks for it. `None` if there is none.
    pub(super) fn set_aside(&self, version: Version) -> io::Result<Option<PathBuf>> {
        let aside = self.beside(&format!(".aside-{:032x}", version.0));
        match fs::rename(self.file(), &aside) {
            Ok(()) => self.sync().map(|()| Some(aside)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Its name never comes again, so that even writers who share no lock never write into one file.
    fn unfinished(&self, version: Version) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(format!(".{:032x}", version.0));
        name.push(".tmp");
        self.folder.join(name)
    }

    fn is_unfinished(&self, name: &[u8]) -> bool {
        let middle = name
            .strip_prefix(b".")
            .and_then(|name| name.strip_prefix(self.name.as_encoded_bytes()))
            .and_then(|name| name.strip_prefix(b"."))
            .and_then(|name| name.strip_suffix(UNFINISHED));
        middle.is_some_and(|middle| middle.len() == 32 && middle.iter().all(u8::is_ascii_hexdigit))
    }
}

/// What a file holds, and who could read it.
pub(super) struct Contents {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) access: Access,
}

/// What is no file cannot always be opened as one; links are refused, each system by another error.
fn refused(path: &Path, error: io::Error) -> StoreError {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => StoreError::Foreign("it is a symbolic link"),
        Ok(found) if !found.is_file() => StoreError::Foreign("it is no regular file"),
        _ => StoreError::Io(error),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private::options().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A new name is on the disk when its folder is.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match fs::File::open(folder)?.sync_all() {
        // Some network file systems have nothing to sync in a folder.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        synced => synced,
    }
}

/// Elsewhere a folder is not a thing to sync.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
