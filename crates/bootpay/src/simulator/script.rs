//! How a payment shall go, written by whoever makes it: `[decline]` in its name, or `"script": "cancel-lost:2"`.
//!
//! [`WORDS`] is the one list of what can be written. The page's choice and the table in the documentation are made of
//! it, so that neither can promise what isn't there.
//!
//! Fares, and so amounts, are the server's to compute: that is why words choose the script and not amounts, as with
//! other providers. The trap is a misspelt word: in a name, which may have brackets of its own, it is only text. So
//! whatever is followed is told with the receipt.

use std::fmt::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ledger::Outcome;
use super::outage::{Fate, Trouble};
use super::webhook::{Format, Mode};
use crate::Operation;

/// What was written for one payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Script {
    /// The words it follows.
    words: Vec<String>,
    /// How the buyer's side ends.
    pub(super) outcome: Option<Outcome>,
    /// How a `confirm` ends.
    pub(super) confirmation: Confirmation,
    /// What befalls calls about it.
    faults: Vec<Fault>,
    /// Whether a `cancel_id` that was used gets the first answer again.
    pub(super) is_kind: Option<bool>,
    /// How its webhooks go.
    pub(super) telling: Telling,
    /// What happens by itself, some time after it.
    pub(super) sequels: Vec<Sequel>,
}

/// How a `confirm` ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Confirmation {
    /// Approved.
    #[default]
    Approved,
    /// The card company says no.
    Declined,
    /// Approved, but for more.
    OtherPrice,
    /// Approved, but as another order.
    OtherOrder,
}

/// How the webhooks of a payment go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Telling {
    pub(super) mode: Option<Mode>,
    pub(super) format: Option<Format>,
    /// Without a `webhook_type`, as older senders do.
    pub(super) is_untyped: bool,
    /// Each is sent twice.
    pub(super) is_doubled: bool,
    /// Seconds that each comes late.
    pub(super) late: Option<u32>,
    /// Seconds that the first one waits for the second to overtake it.
    pub(super) kept_back: Option<u32>,
}

/// What happens by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sequel {
    pub(super) event: Happening,
    /// Seconds after what it follows.
    pub(super) after: u32,
}

/// What can happen by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Happening {
    /// The money arrives on the virtual account.
    AccountPaid,
    /// The virtual account is closed.
    AccountClosed,
    /// All of it is cancelled in the provider's console.
    Cancelled,
    /// Half of it is.
    HalfCancelled,
}

impl Happening {
    /// Whether it happens to what is paid; else, to an account that waits.
    pub(super) fn needs_money(self) -> bool {
        matches!(self, Self::Cancelled | Self::HalfCancelled)
    }
}

/// Trouble with calls about one payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fault {
    operation: Operation,
    trouble: Trouble,
    /// How many calls it still befalls; all if not given.
    left: Option<u32>,
    seconds: u32,
}

/// A word that no script has, or a number that one can't have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no script is called {0:?}; GET /simulator/scripts lists all")]
pub struct UnknownScript(String);

impl Script {
    /// Follows the words in brackets within a name. What isn't one is left alone.
    pub(super) fn follow_name(&mut self, name: &str) {
        let bracketed = name.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
        for text in bracketed.flat_map(|(inside, _)| words_of(inside)) {
            // A name may have brackets of its own.
            let _ = self.follow_word(text);
        }
    }

    /// Follows words that must all be known, separated by blanks or commas.
    pub(super) fn follow(&mut self, words: &str) -> Result<(), UnknownScript> {
        words_of(words).try_for_each(|word| self.follow_word(word))
    }

    fn follow_word(&mut self, text: &str) -> Result<(), UnknownScript> {
        let unknown = || UnknownScript(text.to_owned());
        let (name, number) = text.split_once(':').map_or((text, None), |(name, number)| (name, Some(number)));
        let word = WORDS.iter().find(|word| word.name == name).ok_or_else(unknown)?;
        let number = match (number, word.number) {
            (None, usual) => usual.map_or(0, |(number, _)| number),
            (Some(number), Some(_)) => number.parse().map_err(|_| unknown())?,
            (Some(_), None) => return Err(unknown()),
        };
        (word.follow)(self, number);
        self.words.push(text.to_owned());
        Ok(())
    }

    /// What it follows, in its own words.
    pub(super) fn words(&self) -> String {
        self.words.join(" ")
    }

    /// What befalls the next call of an operation, and uses it up.
    pub(super) fn next_fate(&mut self, operation: Operation) -> Option<Fate> {
        let comes = |fault: &&mut Fault| fault.operation == operation && fault.left != Some(0);
        let fault = self.faults.iter_mut().find(comes)?;
        fault.left = fault.left.map(|left| left - 1);
        Some(Fate { trouble: fault.trouble, pause: Duration::from_secs(fault.seconds.into()) })
    }

    fn end(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    fn end_in_account(&mut self, then: Option<(Happening, u32)>) {
        self.end(Outcome::Account);
        if let Some((event, after)) = then {
            self.follows(event, after);
        }
    }

    fn follows(&mut self, event: Happening, after: u32) {
        self.sequels.push(Sequel { event, after });
    }

    fn confirm(&mut self, confirmation: Confirmation) {
        self.end(Outcome::Separate);
        self.confirmation = confirmation;
    }

    fn confirm_meets(&mut self, trouble: Trouble, times: u32) {
        self.end(Outcome::Separate);
        self.faults.push(Fault { operation: Operation::Confirm, trouble, left: Some(times), seconds: 0 });
    }

    fn cancel_meets(&mut self, trouble: Trouble, times: Option<u32>) {
        self.faults.push(Fault { operation: Operation::Cancel, trouble, left: times, seconds: 0 });
    }

    fn slow(&mut self, operation: Operation, seconds: u32) {
        self.faults.push(Fault { operation, trouble: Trouble::Slow, left: None, seconds });
    }
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',']).filter(|word| !word.is_empty())
}

/// A word that can be written.
pub(super) struct Word {
    pub(super) name: &'static str,
    /// The number that may stand behind it, as it is when none does, and what it counts.
    number: Option<(u32, Unit)>,
    pub(super) stage: Stage,
    pub(super) korean: &'static str,
    english: &'static str,
    follow: fn(&mut Script, u32),
}

#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Times,
}

/// When a word tells on a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Window,
    Confirm,
    Cancel,
    LookUp,
    Webhook,
    Later,
}

impl Stage {
    /// All of them, in the order in which a payment meets them.
    pub(super) const ALL: [Self; 6] =
        [Self::Window, Self::Confirm, Self::Cancel, Self::LookUp, Self::Webhook, Self::Later];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Window => "In the payment window · 결제창",
            Self::Confirm => "At confirm · 승인",
            Self::Cancel => "At cancel · 취소",
            Self::LookUp => "At look-ups · 조회",
            Self::Webhook => "Webhooks · 웹훅",
            Self::Later => "Some time later · 이후",
        }
    }
}

impl Word {
    /// As it is written, with the number it has anyway.
    pub(super) fn example(&self) -> String {
        self.number.map_or_else(|| self.name.to_owned(), |(number, _)| format!("{}:{number}", self.name))
    }

    fn number_in_words(&self) -> &'static str {
        match self.number {
            None => "",
            Some((_, Unit::Seconds)) => "seconds",
            Some((_, Unit::Times)) => "times",
        }
    }
}

/// The list as Markdown.
pub fn table() -> String {
    let mut text = String::new();
    for stage in Stage::ALL {
        // Writing to a string can't fail.
        let _ = write!(text, "\n| {} | | Number | What happens |\n|---|---|---|---|\n", stage.title());
        for word in WORDS.iter().filter(|word| word.stage == stage) {
            let (example, number) = (word.example(), word.number_in_words());
            let _ = writeln!(text, "| `{example}` | {} | {number} | {} |", word.korean, word.english);
        }
    }
    text
}

/// Lists words by stage: name, with the number it may have, Korean, English, and what it does to a script.
macro_rules! words {
    ($($stage:ident { $($name:literal $(: $number:literal $unit:ident)?, $korean:literal, $english:literal, $follow:expr;)+ })+) => {
        &[$($(Word {
            name: $name,
            number: words!(@number $($number $unit)?),
            stage: Stage::$stage,
            korean: $korean,
            english: $english,
            follow: $follow,
        }),+),+]
    };
    (@number) => { None };
    (@number $number:literal $unit:ident) => { Some(($number, Unit::$unit)) };
}

/// Everything that can be written.
pub(super) const WORDS: &[Word] = words! {
    Window {
        "approve", "승인", "The card is charged: status 1.",
            |s, _| s.end(Outcome::Approve);
        "decline", "거절", "The card company says no: status −2.",
            |s, _| s.end(Outcome::Decline);
        "fail", "결제 실패", "It breaks off before the card company is asked: status −1.",
            |s, _| s.end(Outcome::Fail);
        "abandon", "창 닫음", "The buyer closes the window: status 0, no webhook.",
            |s, _| s.end(Outcome::Abandon);
        "separate", "승인 대기", "It waits for `confirm`: status 2, no webhook before.",
            |s, _| s.end(Outcome::Separate);
        "account": 5 Seconds, "가상계좌 입금",
            "A virtual account is issued (5), and paid so much later (1). To cancel it, the buyer's bank account is needed.",
            |s, n| s.end_in_account(Some((Happening::AccountPaid, n)));
        "account-unpaid", "가상계좌 미입금", "A virtual account is issued (5), and nobody pays.",
            |s, _| s.end_in_account(None);
        "account-closed": 5 Seconds, "가상계좌 만료", "A virtual account is issued (5), and closed unpaid so much later (−3).",
            |s, n| s.end_in_account(Some((Happening::AccountClosed, n)));
    }
    Confirm {
        "confirm-decline", "승인 거절", "The card company says no: `RC_CONFIRM_FAILED`, status −2.",
            |s, _| s.confirm(Confirmation::Declined);
        "confirm-other-price", "승인 금액 불일치", "It is approved for 1,000 won more than was agreed.",
            |s, _| s.confirm(Confirmation::OtherPrice);
        "confirm-other-order", "승인 주문 불일치", "It is approved as another order.",
            |s, _| s.confirm(Confirmation::OtherOrder);
        "confirm-hang": 1 Times, "승인 전 시간 초과", "Nothing is done and nothing answers: a time-out before the effect.",
            |s, n| s.confirm_meets(Trouble::Hang, n);
        "confirm-lost": 1 Times, "승인 후 시간 초과", "It is done, and the answer is lost: a time-out after the effect.",
            |s, n| s.confirm_meets(Trouble::LoseAnswer, n);
        "confirm-down": 1 Times, "승인 503", "503, and nothing is done.",
            |s, n| s.confirm_meets(Trouble::Refuse, n);
        "confirm-undecided": 1 Times, "승인 결과 불명", "It is done, and the answer is that nobody knows: `RC_CONFIRM_CRITICAL_FAILED`.",
            |s, n| s.confirm_meets(Trouble::Undecided, n);
        "confirm-slow": 3 Seconds, "승인 지연", "It is done, and answered so much later.",
            |s, n| { s.end(Outcome::Separate); s.slow(Operation::Confirm, n) };
    }
    Cancel {
        "cancel-refused": 2 Times, "취소 거절", "It is refused: `RC_CANCEL_SERVER_ERROR`.",
            |s, n| s.cancel_meets(Trouble::Deny, Some(n));
        "cancel-never", "취소 불가", "It is refused for ever.",
            |s, _| s.cancel_meets(Trouble::Deny, None);
        "cancel-hang": 1 Times, "취소 전 시간 초과", "Nothing is done and nothing answers: a time-out before the effect.",
            |s, n| s.cancel_meets(Trouble::Hang, Some(n));
        "cancel-lost": 1 Times, "취소 후 시간 초과", "It is done, and the answer is lost: a time-out after the effect.",
            |s, n| s.cancel_meets(Trouble::LoseAnswer, Some(n));
        "cancel-down": 1 Times, "취소 503", "503, and nothing is done.",
            |s, n| s.cancel_meets(Trouble::Refuse, Some(n));
        "cancel-undecided": 1 Times, "취소 결과 불명", "It is done, and the answer is that nobody knows: `RC_CANCEL_CRITICAL_ERROR`.",
            |s, n| s.cancel_meets(Trouble::Undecided, Some(n));
        "cancel-slow": 3 Seconds, "취소 지연", "It is done, and answered so much later.",
            |s, n| s.slow(Operation::Cancel, n);
        "cancel-strict", "취소 ID 재사용 거절", "A `cancel_id` that was used is refused, as the provider documents.",
            |s, _| s.is_kind = Some(false);
        "cancel-kind", "취소 ID 재사용 허용", "A `cancel_id` that was used is answered as the first time, and has no effect.",
            |s, _| s.is_kind = Some(true);
    }
    LookUp {
        "slow": 3 Seconds, "조회 지연", "Its receipt is told so much later.",
            |s, n| { s.slow(Operation::Receipt, n); s.slow(Operation::Order, n) };
    }
    Webhook {
        "webhook-none", "웹훅 없음", "None is sent.",
            |s, _| s.telling.mode = Some(Mode::None);
        "webhook-signed", "서명", "Each has a `Bootpay-Signature`.",
            |s, _| s.telling.mode = Some(Mode::Signed);
        "webhook-unsigned", "서명 없음", "None has a signature.",
            |s, _| s.telling.mode = Some(Mode::Unsigned);
        "webhook-form", "폼 형식", "Each body is a form.",
            |s, _| s.telling.format = Some(Format::Form);
        "webhook-untyped", "유형 없음", "None has a `webhook_type`, as from older senders.",
            |s, _| s.telling.is_untyped = true;
        "webhook-twice", "웹훅 중복", "Each is sent twice at once, the same bytes.",
            |s, _| s.telling.is_doubled = true;
        "webhook-late": 10 Seconds, "웹훅 지연", "Each is sent so much later.",
            |s, n| s.telling.late = Some(n);
        "webhook-reordered": 60 Seconds, "웹훅 순서 바뀜",
            "The first is sent after the second (its payment after a cancel, 5 after 1), or so much later if none follows.",
            |s, n| s.telling.kept_back = Some(n);
    }
    Later {
        "console-cancel": 5 Seconds, "관리자 전액 취소",
            "So long after the payment all of it is cancelled in the provider's console, and nobody is told.",
            |s, n| s.follows(Happening::Cancelled, n);
        "console-cancel-part": 5 Seconds, "관리자 부분 취소", "The same with half of it.",
            |s, n| s.follows(Happening::HalfCancelled, n);
    }
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn of_name(name: &str) -> Script {
        let mut script = Script::default();
        script.follow_name(name);
        script
    }

    #[test]
    fn a_name_says_it_in_brackets_between_other_words() {
        let script = of_name("[제주] KE1201 [decline, webhook-late:0] 2명 [x] [");

        assert_eq!(script.words(), "decline webhook-late:0");
        assert_eq!(script.outcome, Some(Outcome::Decline));
        assert_eq!(script.telling.late, Some(0));
        assert_eq!(of_name("decline"), Script::default());
    }

    #[test]
    fn an_explicit_script_has_no_unknown_word() {
        let follow = |words| Script::default().follow(words);

        assert!(follow("").is_ok() && follow("separate cancel-lost:2,slow").is_ok());
        for wrong in ["declined", "decline:1", "slow:", "slow:-1", "slow:x", "approve approve:1"] {
            assert!(follow(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn trouble_is_used_up_and_the_next_one_comes() {
        let mut script = Script::default();
        script.follow("cancel-refused:2 cancel-hang").unwrap();
        let mut next = || script.next_fate(Operation::Cancel).map(|fate| fate.trouble);

        let met = [next(), next(), next(), next()];

        assert_eq!(met, [Some(Trouble::Deny), Some(Trouble::Deny), Some(Trouble::Hang), None]);
        assert_eq!(script.next_fate(Operation::Receipt), None);
    }

    #[test]
    fn what_is_never_used_up_stays() {
        let mut script = Script::default();
        script.follow("cancel-never").unwrap();
        for _ in 0..10 {
            assert_eq!(script.next_fate(Operation::Cancel).unwrap().trouble, Trouble::Deny);
        }
    }

    #[test]
    fn every_word_is_one_of_a_kind_and_can_be_written_as_shown() {
        let names: BTreeSet<_> = WORDS.iter().map(|word| word.name).collect();
        assert_eq!(names.len(), WORDS.len());
        for word in WORDS {
            let mut script = Script::default();
            script.follow(&word.example()).unwrap();
            assert_ne!(Script { words: Vec::new(), ..script.clone() }, Script::default(), "{} does nothing", word.name);
            assert_eq!(of_name(&format!("[{}]", word.example())), script);
        }
    }

    #[test]
    fn the_documentation_has_the_table() {
        let document = include_str!("../../../../docs/payments-simulator.md");
        assert!(document.contains(table().trim_end()), "it isn't up to date: cargo xtask generate");
    }
}
