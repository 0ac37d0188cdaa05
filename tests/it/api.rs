//! The API as its clients meet it: the AWS CLI, boto3, and who means harm.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::program::{cloudtarn, text};
use crate::venv;

/// A server that ends with its test.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(store: &Path, arguments: &[&str]) -> Self {
        Self::of(cloudtarn(&["serve"]).args(arguments), store)
    }

    /// As a command has it, with its environment.
    pub(crate) fn of(command: &mut Command, store: &Path) -> Self {
        let place = ["--store", text(store), "--listen", "127.0.0.1:0"];
        let mut child = command.args(place).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "the server said {url:?}");
        Self { child, url }
    }

    /// Ends it as an operator would, and waits.
    pub(crate) fn stop(mut self) {
        assert_eq!(terminate(&self.child), 0);
        assert!(self.child.wait().unwrap().success());
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// `kill -TERM`, by the program of that name.
fn terminate(child: &Child) -> i32 {
    let status = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    status.code().unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/api")
}

/// Runs a script of `tests/it/api` against a server, with the folder that the test works in.
pub(crate) fn script(name: &str, server: &Server, folder: &Path, environment: &[(&str, &str)]) {
    let mut command = venv::command("python");
    command.arg(scripts().join(name)).env("PYTHONPATH", scripts()).env("CLOUDTARN_URL", &server.url);
    command.env("CLOUDTARN_FOLDER", folder).env("CLOUDTARN_PID", server.child.id().to_string());
    command.env("CLOUDTARN_AWS", venv::folder().join("bin/aws"));
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}\n{out}\n{err}");
    assert!(out.ends_with("done\n"), "{name} ended early\n{out}\n{err}");
}

mod calls;
