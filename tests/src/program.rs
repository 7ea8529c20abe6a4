//! Programs of the machine that cases run: found on PATH, ended with the value that holds them.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running program, killed on drop.
pub(crate) struct Program(Child);

/// Where a program is, by the first of `names` that is on PATH.
///
/// # Panics
/// With one sentence that says which package to install.
pub(crate) fn find(names: &[&str], package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = names.iter().find_map(|name| {
        std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    });
    match found {
        Some(file) => file,
        None => panic!(
            "this case needs the program {}, which is not on PATH: install it, for instance with `apt-get install {package}`",
            names[0]
        ),
    }
}

impl Program {
    /// Starts it with its output thrown away.
    ///
    /// # Panics
    /// If it cannot be started.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// Starts it with its output in a file.
    ///
    /// # Panics
    /// If it cannot be started.
    pub(crate) fn start_writing(command: &mut Command, file: &File) -> Self {
        let copy = || file.try_clone().expect("another handle of a file");
        Self::spawn(command.stdout(copy()).stderr(copy()))
    }

    fn spawn(command: &mut Command) -> Self {
        match command.stdin(Stdio::null()).spawn() {
            Ok(child) => Self(child),
            Err(error) => panic!("cannot start {}: {error}", command.get_program().display()),
        }
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }

    /// Kills it and waits for its end.
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Processes that a program has left behind, known by an argument of theirs; killed on drop. A browser outlives the
/// driver that started it.
pub(crate) struct Offspring(String);

impl Offspring {
    /// Those that have this argument, which nobody else's may have.
    pub(crate) fn with_argument(argument: String) -> Self {
        Self(argument)
    }
}

impl Drop for Offspring {
    fn drop(&mut self) {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ours = processes.filter_map(|process| {
            let line = std::fs::read(process.path().join("cmdline")).ok()?;
            let mut arguments = line.split(|byte| *byte == 0);
            arguments
                .any(|argument| argument == self.0.as_bytes())
                .then(|| process.file_name())
        });
        let ours: Vec<_> = ours.collect();
        if !ours.is_empty() {
            let _ = Command::new("kill").arg("-KILL").args(ours).status();
        }
    }
}
