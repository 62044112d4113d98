//! A runbook for each alert, and none for an alert that isn't there any more: whoever is woken lands on a page.

use std::collections::BTreeSet;

use super::Files;

/// Where they are, each under a heading that is the alert's name.
pub(super) const PATH: &str = "docs/runbooks.md";

/// Where a browser finds them.
const ADDRESS: &str = "https://github.com/cloudjet/cloudjet/blob/main/docs/runbooks.md";

/// The address of an alert's runbook.
pub(super) fn address(alert: &str) -> String {
    format!("{ADDRESS}#{}", alert.to_lowercase())
}

/// What is wrong with the runbooks, a line each.
pub(super) fn faults(files: &Files, document: &str) -> Vec<String> {
    let alerts: BTreeSet<&str> = files.rules.iter().filter_map(|rule| rule.alert.as_deref()).collect();
    let sections: Vec<(&str, &str)> =
        document.split("\n## ").skip(1).map(|section| section.split_once('\n').unwrap_or((section, ""))).collect();
    let written: BTreeSet<&str> = sections.iter().map(|(heading, _)| *heading).collect();
    let mut faults: Vec<String> = Vec::new();
    faults.extend(alerts.difference(&written).map(|alert| format!("{PATH} has no runbook for {alert}")));
    faults.extend(written.difference(&alerts).map(|heading| format!("{PATH}: there is no alert {heading}")));
    for (heading, text) in sections {
        if !text.contains("**For customers:**") {
            faults.push(format!("{PATH}: {heading} doesn't say what it means for customers"));
        }
        if !["**Look", "**Do"].iter().any(|word| text.contains(word)) {
            faults.push(format!("{PATH}: {heading} doesn't say what to do"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn alerts_and_runbooks_are_the_same() {
        let rules = vec![serde_saphyr::from_str("{ alert: SeatsGone, expr: up }").unwrap()];
        let (metrics, others, grouped) = (Metrics::read(""), BTreeSet::new(), BTreeSet::new());
        let files = Files { rules, dashboards: Vec::new(), metrics, others, grouped };
        let whole = "# Runbooks\n\n## SeatsGone\n\n**For customers:** nothing. **Do:** wait.\n";
        assert_eq!(faults(&files, whole), Vec::<String>::new());
        assert_eq!(faults(&files, "# Runbooks\n"), ["docs/runbooks.md has no runbook for SeatsGone"]);
        let more = format!("{whole}\n## Gone\n\n**For customers:** nothing. **Look:** there.\n");
        assert_eq!(faults(&files, &more), ["docs/runbooks.md: there is no alert Gone"]);
        let half = whole.replace("**Do:**", "").replace("**For customers:**", "");
        assert_eq!(faults(&files, &half).len(), 2);
    }
}
