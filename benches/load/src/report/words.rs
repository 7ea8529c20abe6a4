//! The words of the page: what was measured on what, how to repeat it, and how far to believe it.

use maud::{Markup, html};

use crate::results::Results;
use crate::subject::Subject;

pub(super) fn opening(results: &Results) -> Markup {
    let day = results.date.split('T').next().unwrap_or_default();
    html! {
        header {
            h1 { "HiveMatrix, measured" }
            p.lede {
                "The gateway beside everybody who was installed and does the same work: one run, on one machine, in turn. "
                (results.machine.processor) ", " (results.machine.cores) " cores, " (day) "."
            }
            @if results.unoptimized {
                p.warning {
                    strong { "An unoptimized build. " }
                    "The gateway's own figures on this page say nothing about what ships: run "
                    code { "cargo build --release" } " and repeat."
                }
            }
        }
    }
}

pub(super) fn setting(results: &Results) -> Markup {
    let (machine, parameters) = (&results.machine, &results.parameters);
    html! {
        section {
            h2 { "What it was measured on, and with what" }
            dl {
                dt { "Machine" }
                dd { (machine.processor) ", " (machine.cores) " cores, " (format!("{:.0}", machine.memory_gib)) " GiB" }
                dt { "Kernel" }
                dd { (machine.kernel) }
                dt { "Load before" }
                dd { (machine.load) " (processes ready to run; much more than 0 disturbs)" }
                dt { "Date" }
                dd { (results.date) }
                dt { "HiveMatrix" }
                dd { (results.version) }
                dt { "Parameters" }
                dd {
                    (parameters.rounds) " rounds, " (parameters.seconds) " s for each measurement, " (parameters.connections)
                    " connections, " (parameters.threads) " worker thread(s) each"
                }
                dt { "Service" }
                dd { (parameters.service) ", on the same machine as everything else" }
                dt { "Programs" }
                dd {
                    @for (at, program) in results.programs.iter().enumerate() {
                        @if at > 0 { ", " }
                        (program.name) " " (program.version)
                    }
                }
                dt { "To repeat it" }
                dd { code { (results.command) } }
            }
            @if !results.missing.is_empty() {
                h3 style="margin-block-start:1.5rem" { "Was not installed" }
                table.texts {
                    @for missing in &results.missing {
                        tr {
                            td { (missing.name) }
                            td { (missing.purpose) }
                            td { code { (missing.get) } }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn method(results: &Results) -> Markup {
    html! {
        section {
            h2 { "How it was measured, and how far to believe it" }
            ul {
                li {
                    "Bars are medians over the rounds, lines upon them go from the lowest round to the highest. Each round lets "
                    "everybody do each work once, in turn, so that the machine's drift falls on all alike; ratios ("
                    @if let Some(reference) = results.reference { "× " (reference.title()) } @else { "none here: no reference took part" }
                    ") are taken within each round."
                }
                li {
                    "Processor time is that of the whole process group, user and kernel, as the kernel counts it (to 10 ms). It is the "
                    "fairest figure where load and service share the machine with who is measured; requests per second depend on "
                    "what the others leave over."
                }
                li {
                    "Throughput is that of wrk, a closed loop: as much as it can. Latencies are those of an open loop (oha): "
                    "requests begin at the same fixed rate for all, whether or not earlier ones have been answered, and a latency "
                    "counts from the moment at which its request was due. Whoever does not manage the rate has no latencies: "
                    "they would say how long the measurement was."
                }
                li {
                    "Memory is each process's proportional share (PSS), right after the measurement, in the first round: most keep what "
                    "they have used once."
                }
                li {
                    "Before anything is measured everybody is asked once, and left out where the answer is not the work that was asked for."
                }
                li {
                    "They do not all do the same besides: the table says who checks what. The gateway puts its whole menu into pages, "
                    "the others three pieces of text. Apache works with a pool of threads, whatever the number of workers."
                }
            }
            div.scroll {
                table.texts {
                    @for subject in Subject::ALL.into_iter().filter(|subject| took_part(results, *subject)) {
                        tr {
                            td { (subject.title()) }
                            td { "checks " (subject.checks()) }
                            td { @if results.refuse_strangers.contains(&subject) { "refuses who brings none" } }
                        }
                    }
                }
            }
        }
    }
}

fn took_part(results: &Results, subject: Subject) -> bool {
    results.rows.iter().any(|row| row.series.subject == subject)
}
