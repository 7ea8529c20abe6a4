//! How Helm's pages look: markup in the classes of the design system, nothing else.

use maud::{Markup, html};

use super::{
    Watched,
    logs::{Asked, Line},
    probe::{Process, ServiceStatus, Wellness},
};
use crate::kit::{Page, Prefix, choice, page};

/// The levels that can be chosen; each is the query's value and what people read.
const LEVELS: [(&str, &str); 6] = [
    ("", "All levels"),
    ("CRITICAL", "Critical"),
    ("ERROR", "Error"),
    ("WARNING", "Warning"),
    ("INFO", "Info"),
    ("DEBUG", "Debug"),
];

/// The overview of services.
pub(super) fn services(prefix: &Prefix, statuses: &[ServiceStatus]) -> Page {
    let healthy = statuses
        .iter()
        .filter(|status| status.health == Wellness::Healthy)
        .count();
    let actions = html! {
        a .btn href=(prefix.url("/")) { span .btn__label { "Refresh" } }
        a .btn href=(prefix.url("/logs")) { span .btn__label { "Logs" } }
    };
    page(
        "Services · Helm",
        html! {
            main .container {
                (heading("Services", &format!("{healthy} of {} healthy", statuses.len()), &actions))
                section .card {
                    div .card__body {
                        @if statuses.is_empty() {
                            div .empty-state {
                                h2 .empty-state__title { "No services" }
                                p .empty-state__text { "The registry names no service." }
                            }
                        } @else {
                            (service_table(prefix, statuses))
                        }
                    }
                }
            }
        },
    )
}

fn service_table(prefix: &Prefix, statuses: &[ServiceStatus]) -> Markup {
    html! {
        div .table-wrapper {
            table .table {
                thead {
                    tr {
                        th scope="col" { "Service" }
                        th scope="col" { "Status" }
                        th scope="col" { "Health" }
                        th scope="col" { "What it says" }
                        th scope="col" { "Address" }
                        th scope="col" { span .u-visually-hidden { "Logs" } }
                    }
                }
                tbody {
                    @for status in statuses {
                        tr {
                            th scope="row" { (status.service_name) }
                            td { (running(status.status)) }
                            td { (wellness(status.health)) }
                            td { (status.health_message) }
                            td { code { (status.configured_url) } }
                            td {
                                // A service's name is safe in a URL: lower-case letters, digits, - and _.
                                a href=(prefix.url(&format!("/logs?service={}", status.service_name)))
                                    aria-label={ "Logs of " (status.service_name) } { "Logs" }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn running(process: Process) -> Markup {
    let (class, text) = match process {
        Process::Running => ("badge badge--success", "running"),
        Process::Stopped => ("badge badge--danger", "stopped"),
        Process::Unknown => ("badge badge--warning", "unknown"),
    };
    html! { span class=(class) { (text) } }
}

fn wellness(wellness: Wellness) -> Markup {
    let (class, text) = match wellness {
        Wellness::Healthy => ("status-text status-text--success", "healthy"),
        Wellness::Degraded => ("status-text status-text--warning", "degraded"),
        Wellness::Unreachable => ("status-text status-text--danger", "unreachable"),
        Wellness::Unknown => ("status-text", "unknown"),
    };
    html! { span class=(class) { (text) } }
}

/// The newest log lines.
pub(super) fn logs(
    prefix: &Prefix,
    asked: &Asked,
    services: &[Watched],
    total: usize,
    lines: &[Line],
) -> Page {
    let mut names: Vec<(&str, &str)> = vec![("", "All services")];
    names.extend(
        services
            .iter()
            .map(|service| (service.name.as_str(), service.name.as_str())),
    );
    let actions = html! { a .btn href=(prefix.url("/")) { span .btn__label { "Services" } } };
    page(
        "Logs · Helm",
        html! {
            main .container {
                (heading("Logs", &format!("{} of {total} lines, newest first", lines.len()), &actions))
                section .card {
                    div .card__header {
                        form .form .form--inline method="get" action=(prefix.url("/logs")) {
                            (choice("service", "Service", &names, &asked.service))
                            (choice("level", "Level", &LEVELS, &asked.level))
                            button .btn type="submit" { span .btn__label { "Show" } }
                        }
                    }
                    div .card__body {
                        @if lines.is_empty() {
                            div .empty-state {
                                h2 .empty-state__title { "No log lines" }
                                p .empty-state__text { "None were sent to Helm since it started, or none match." }
                            }
                        } @else {
                            (log_table(lines))
                        }
                    }
                }
            }
        },
    )
}

fn log_table(lines: &[Line]) -> Markup {
    html! {
        div .table-wrapper {
            table .table {
                thead {
                    tr {
                        th scope="col" { "Time (UTC)" }
                        th scope="col" { "Service" }
                        th scope="col" { "Level" }
                        th scope="col" { "Message" }
                    }
                }
                tbody {
                    @for line in lines {
                        tr {
                            td .u-nowrap { (moment(line)) }
                            td { (line.service_name) }
                            td { (level(&line.level)) }
                            td { (line.message) }
                        }
                    }
                }
            }
        }
    }
}

fn moment(line: &Line) -> String {
    let time = line.timestamp.to_offset(time::UtcOffset::UTC);
    let (hour, minute, second) = time.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02}", time.date())
}

fn level(level: &str) -> Markup {
    let class = match level {
        "CRITICAL" | "ERROR" => "badge badge--danger",
        "WARNING" => "badge badge--warning",
        "INFO" => "badge badge--info",
        _ => "badge",
    };
    html! { span class=(class) { (level) } }
}

fn heading(title: &str, subtitle: &str, actions: &Markup) -> Markup {
    html! {
        header .page-header {
            div {
                h1 .page-header__title { (title) }
                p .page-header__subtitle { (subtitle) }
            }
            div .page-header__actions { (actions) }
        }
    }
}
