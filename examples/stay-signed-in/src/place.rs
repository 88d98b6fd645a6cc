//! Where the session is kept if nobody says where.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The session's file in the user's folder for settings. Its folder is made by the store, for its owner alone.
pub(crate) fn usual() -> Result<PathBuf, &'static str> {
    let settings = settings_folder(|name| env::var_os(name), env::home_dir());
    let settings = settings.ok_or("this user has no folder for settings: name a file with --store")?;
    Ok(settings.join("stay-signed-in").join("session.json"))
}

/// As each system has it; on Linux as the XDG Base Directory Specification has it, by which a path that is relative
/// is none.
fn settings_folder(variable: impl Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    let home = home.filter(|home| home.is_absolute());
    let named = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        named("APPDATA")
    } else if cfg!(target_os = "macos") {
        Some(home?.join("Library/Application Support"))
    } else {
        named("XDG_CONFIG_HOME").or_else(|| Some(home?.join(".config")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(unix, not(target_os = "macos")))]
    fn the_folder_is_the_named_one_or_the_usual_one() {
        let folder = |named: Option<&str>, home: Option<&str>| {
            let variable = |name: &str| named.filter(|_| name == "XDG_CONFIG_HOME").map(OsString::from);
            settings_folder(variable, home.map(PathBuf::from))
        };
        let path = |text| Some(PathBuf::from(text));
        assert_eq!(folder(Some("/settings"), Some("/home/ada")), path("/settings"));
        assert_eq!(folder(None, Some("/home/ada")), path("/home/ada/.config"));
        assert_eq!(folder(Some("settings"), Some("/home/ada")), path("/home/ada/.config"));
        assert_eq!(folder(Some(""), None), None);
        assert_eq!(folder(None, Some("")), None);
    }
}
