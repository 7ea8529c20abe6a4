//! Real pages, as Debian packages ship them: composed, they are still the pages that they were.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use encoding_rs::{Encoding, WINDOWS_1252};
use hivematrix_tests::{Client, Coding, Script, Stack, backends_tree, original_tree};

/// The packages, and where below [`DOCUMENTATION`] their pages are; a `*` stands for a version.
const PACKAGES: [(&str, &str); 4] = [
    ("apache2-doc", "apache2-doc/manual"),
    ("libxml2-doc", "libxml2/html"),
    ("python3-doc", "python3-doc/html"),
    ("postgresql-doc", "postgresql-doc-*/html"),
];

const DOCUMENTATION: &str = "/usr/share/doc";

/// How many pages of each package are taken, always the same ones: from the smallest to the largest in even steps,
/// so that every size is there.
const SAMPLE: usize = 60;

/// How far browsers look for a `<meta>` with a charset (HTML §13.2.3.2).
const PRESCAN: usize = 1024;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % limit
    }
}

/// A page with what is known of it.
struct Page {
    file: PathBuf,
    bytes: Vec<u8>,
    charset: &'static Encoding,
}

/// The folder of a package's pages, whatever version is installed.
fn folder_of(pattern: &str) -> PathBuf {
    let documentation = Path::new(DOCUMENTATION);
    let Some((before, after)) = pattern.split_once('*') else {
        return documentation.join(pattern);
    };
    let mut versions: Vec<PathBuf> = std::fs::read_dir(documentation)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(before))
        .map(|name| documentation.join(name + after))
        .filter(|folder| folder.is_dir())
        .collect();
    versions.sort();
    versions.pop().unwrap_or_else(|| documentation.join(pattern))
}

/// All pages of a package, the smallest first.
fn pages(package: &str, pattern: &str) -> Vec<PathBuf> {
    let folder = folder_of(pattern);
    let mut found = Vec::new();
    let mut folders = vec![folder.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("a file type"));
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|end| end == "html") {
                found.push((entry.metadata().map_or(0, |about| about.len()), path));
            }
        }
    }
    assert!(
        found.len() >= 20,
        "this case needs the pages in {}: install them, for instance with `apt-get install {package}`",
        folder.display()
    );
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

fn sample() -> Vec<Page> {
    let mut sample = Vec::new();
    for (package, pattern) in PACKAGES {
        let files = pages(package, pattern);
        let count = SAMPLE.min(files.len());
        sample.extend((1..=count).map(|number| read(&files[number * files.len() / count - 1])));
    }
    sample
}

fn read(file: &Path) -> Page {
    let bytes = std::fs::read(file).expect("a page");
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(PRESCAN)]).to_lowercase();
    let label = start
        .split_once("charset=")
        .map_or("", |(_, rest)| rest.trim_start_matches(['"', '\'']));
    let label = label.split(['"', '\'', '>', ' ', ';']).next().unwrap_or_default();
    Page {
        file: file.to_owned(),
        charset: Encoding::for_label(label.as_bytes()).unwrap_or(WINDOWS_1252),
        bytes,
    }
}

/// The page in chunks of random sizes. Every other page names its charset in the head as well.
fn script(page: &Page, body: &[u8], coding: Option<Coding>, named: bool, random: &mut Random) -> Script {
    let content_type = if named {
        format!("text/html; charset={}", page.charset.name())
    } else {
        "text/html".to_owned()
    };
    let mut script = Script::chunked(&content_type);
    if let Some(coding) = coding {
        script = script.header("Content-Encoding", coding.name());
    }
    let longest = [3, 40, 700, 9_000][random.below(4)].max(body.len() / 60);
    let mut rest = body;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at((1 + random.below(longest)).min(rest.len()));
        script = script.chunk(chunk);
        rest = after;
    }
    script.end()
}

/// Whoever sends deflate is answered in gzip: the gateway reads that coding, and does not write it.
async fn composed(client: &Client, coding: Option<Coding>) -> Vec<u8> {
    let coding = coding.map(|coding| match coding {
        Coding::Deflate => Coding::Gzip,
        other => other,
    });
    let accepted = coding.map_or("identity", Coding::name);
    let answer = client
        .visit("/echo/page")
        .header("Accept-Encoding", accepted)
        .send()
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let encoded = answer.header("content-encoding");
    assert_eq!(encoded, coding.map_or("", Coding::name), "{answer:?}");
    match coding {
        Some(coding) => coding.unpack(&answer.body),
        None => answer.body.to_vec(),
    }
}

/// Compares one page with what came; `None` if it is all right.
fn fault(page: &Page, came: &[u8], named: bool) -> Option<String> {
    let text = |bytes| page.charset.decode_without_bom_handling(bytes).0.into_owned();
    let declared = |bytes: &[u8]| {
        String::from_utf8_lossy(&bytes[..bytes.len().min(PRESCAN)])
            .to_lowercase()
            .contains("charset=")
    };
    if !named && declared(&page.bytes) && !declared(came) {
        return Some("its <meta> with the charset is where browsers do not look for it".to_owned());
    }
    let before = original_tree(&text(&page.bytes));
    match backends_tree(&text(came)) {
        Err(wrong) => Some(wrong),
        Ok(after) if after == before => None,
        Ok(after) => {
            let differing = before.lines().zip(after.lines()).find(|(was, is)| was != is);
            Some(format!("first difference: {differing:?}"))
        }
    }
}

#[tokio::test]
async fn real_pages_keep_every_node_plain_and_in_every_coding_however_they_are_cut() {
    let stack = Stack::builder()
        .configure(|config| config.limits.requests_per_minute = 100_000)
        .start()
        .await;
    let client = stack.signed_in("admin").await;
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut faults, mut charsets, mut count) = (Vec::new(), BTreeSet::new(), 0);
    for (number, page) in sample().iter().enumerate() {
        charsets.insert(page.charset.name());
        let named = number % 2 == 0;
        for coding in [None, Some(Coding::ALL[number / 2 % 4])] {
            let body = coding.map_or_else(|| page.bytes.clone(), |coding| coding.pack(&page.bytes));
            stack
                .echo
                .on("/page", script(page, &body, coding, named, &mut random));
            let came = composed(&client, coding).await;
            count += 1;
            if let Some(fault) = fault(page, &came, named) {
                faults.push(format!("{} in {coding:?}: {fault}", page.file.display()));
            }
        }
    }
    assert!(
        count >= PACKAGES.len() * 2 * 20 && charsets.len() >= 3,
        "{count} answers, {charsets:?}"
    );
    assert!(
        faults.is_empty(),
        "{} of {count} answers:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
