//! Token files: one chain a line. They are as secret as the tokens in them, so they are written for their owner
//! alone, and put in place whole or not at all.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::chain::{Chain, LineError};

/// Reads all chains of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<Chain>, FileError> {
    let unread = |source| FileError::Read { path: path.to_owned(), source };
    let mut chains = Vec::new();
    for (index, line) in BufReader::new(File::open(path).map_err(unread)?).lines().enumerate() {
        let line = line.map_err(unread)?;
        if line.is_empty() {
            continue;
        }
        let chain = Chain::parse(&line).map_err(|source| FileError::Line {
            path: path.to_owned(),
            number: index + 1,
            source,
        })?;
        chains.push(chain);
    }
    if chains.is_empty() { Err(FileError::Empty(path.to_owned())) } else { Ok(chains) }
}

/// Writes one line for each chain, replacing what was there; says how many.
pub(crate) fn write(path: &Path, lines: impl Iterator<Item = String>) -> Result<u64, FileError> {
    put(path, lines).map_err(|source| FileError::Write { path: path.to_owned(), source })
}

fn put(path: &Path, lines: impl Iterator<Item = String>) -> io::Result<u64> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Created readable by its owner only.
    let mut file = BufWriter::new(NamedTempFile::new_in(folder)?);
    let mut written = 0;
    for line in lines {
        file.write_all(line.as_bytes())?;
        file.write_all(b"\n")?;
        written += 1;
    }
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.persist(path).map_err(|failure| failure.error)?;
    Ok(written)
}

/// Why a token file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot read {}: {source}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{}, line {number}: {source}", .path.display())]
    Line { path: PathBuf, number: usize, source: LineError },
    #[error("{} holds no token", .0.display())]
    Empty(PathBuf),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;
    use crate::pair::tests::token;

    #[test]
    fn chains_survive_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.txt");
        let mut chains: Vec<Chain> = (1..5).map(|n| Chain::parse(&token(n, n.into())).unwrap()).collect();
        chains[2].attempt(&mut Dice::new()).unwrap();
        let lines: Vec<String> = chains.iter().map(Chain::line).collect();
        assert_eq!(write(&path, lines.iter().cloned()).unwrap(), 4);
        let read: Vec<String> = read(&path).unwrap().iter().map(Chain::line).collect();
        assert_eq!(read, lines);
        assert!(lines[2].contains("\t3:") && !lines[1].contains('\t'));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.txt");
        write(&path, std::iter::once(token(1, 1))).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.txt");
        let told = || read(&path).unwrap_err().to_string().replace(&path.display().to_string(), "FILE");
        assert!(told().starts_with("cannot read FILE: "));
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(told(), "FILE holds no token");
        std::fs::write(&path, format!("{}\n\n{}", token(1, 1), token(1, 1).replace("dpr_", "dpr"))).unwrap();
        assert_eq!(told(), "FILE, line 3: that is no refresh token");
    }
}
