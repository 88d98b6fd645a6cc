//! Commands to try against the demo's service once the play is over: with its user's real password, and with tokens
//! that the reader fetches.

use serde::Serialize;

use super::DemoService;

#[derive(Serialize)]
struct Login<'a> {
    username: &'a str,
    password: &'a str,
}

/// A text with the commands, to be pasted one after the other into one POSIX shell.
pub(crate) fn commands(service: &DemoService) -> Result<String, serde_json::Error> {
    let (base_url, api_url) = (quoted(&service.hosted.base_url), quoted(&service.api.base_url));
    let login = Login { username: &service.ada.username, password: &service.ada.password };
    let login = quoted(&serde_json::to_string(&login)?);
    let life = service.access_life.as_secs_f64();
    Ok(format!(
        r#"
Service and API go on until Ctrl-C. Paste these into another terminal; access tokens live {life} s, so renew often.

  at={base_url}; api={api_url}; json='Content-Type: application/json'
  pick() {{ printf %s "$pair" | sed "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/"; }}

# sign in
  pair=$(curl -s $at/v1/login -H "$json" -d {login}); echo "$pair"
# call the API
  curl -si $api/hello -H "Authorization: Bearer $(pick access_token)"
# ask the service who this is
  curl -si $at/v1/me -H "Authorization: Bearer $(pick access_token)"
# renew, under an attempt id
  id=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  pair=$(curl -s $at/v1/refresh -H "$json" -H "Daypass-Attempt: $id" -d "{{\"refresh_token\":\"$(pick refresh_token)\"}}"); echo "$pair"
# where Ada is signed in
  curl -s $at/v1/sessions -H "Authorization: Bearer $(pick access_token)"
# sign out, and be refused by the API a moment later, though the token is not old
  pair=$(curl -s $at/v1/refresh -H "$json" -d "{{\"refresh_token\":\"$(pick refresh_token)\"}}")
  curl -si $at/v1/logout -H "$json" -d "{{\"refresh_token\":\"$(pick refresh_token)\"}}"
  sleep 0.5; curl -si $api/hello -H "Authorization: Bearer $(pick access_token)"
"#
    ))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hosted::{Credentials, Hosted};

    #[test]
    fn what_is_printed() {
        let user = |password: &str| Credentials { username: "ada".into(), password: password.into() };
        let at = |url: &str| Hosted::new(url.into(), String::new(), || async { Ok(()) });
        let service = DemoService {
            hosted: at("http://127.0.0.1:8080"),
            api: at("http://127.0.0.1:9090"),
            access_life: Duration::from_secs(4),
            patience: Duration::from_secs(20),
            ada: user(r#"it's "open""#),
            ben: user("b"),
        };
        insta::assert_snapshot!(commands(&service).unwrap());
    }
}
