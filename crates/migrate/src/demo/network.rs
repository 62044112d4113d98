//! What the demo airline flies: the original's airports and flights, and a flight back for each.
//!
//! The original's times and durations are as they were, season or no season. A flight back is given by when it
//! leaves and how long it flies; when it arrives follows from the zones on the day the data are loaded, so that the
//! three agree at least for the season people first see.

use chrono::{NaiveDate, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use chrono_tz::{America::Los_Angeles, Asia::Bangkok, Asia::Seoul, Asia::Tokyo, Australia::Sydney, Europe::Paris};

/// An airport.
pub(super) struct Airport {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) city: &'static str,
    pub(super) country: &'static str,
    pub(super) zone: Tz,
}

const fn airport(
    code: &'static str,
    name: &'static str,
    city: &'static str,
    country: &'static str,
    zone: Tz,
) -> Airport {
    Airport { code, name, city, country, zone }
}

/// Where the demo airline flies.
pub(super) const AIRPORTS: [Airport; 8] = [
    airport("ICN", "인천국제공항", "서울", "대한민국", Seoul),
    airport("GMP", "김포국제공항", "서울", "대한민국", Seoul),
    airport("NRT", "나리타국제공항", "도쿄", "일본", Tokyo),
    airport("KIX", "간사이국제공항", "오사카", "일본", Tokyo),
    airport("BKK", "수완나품국제공항", "방콕", "태국", Bangkok),
    airport("SYD", "킹스포드스미스공항", "시드니", "호주", Sydney),
    airport("LAX", "로스앤젤레스국제공항", "로스앤젤레스", "미국", Los_Angeles),
    airport("CDG", "샤를드골국제공항", "파리", "프랑스", Paris),
];

/// What the demo airline flies: each with the usual 25 rows of ABC DEF, and its exits.
pub(super) const CABINS: [Cabin; 3] = [
    Cabin { aircraft: "Boeing 737-800", exits: "12 13" },
    Cabin { aircraft: "Airbus A320", exits: "10 11" },
    Cabin { aircraft: "Boeing 787-9", exits: "1 14 25" },
];

/// An aircraft's cabin.
pub(super) struct Cabin {
    pub(super) aircraft: &'static str,
    /// The rows that are at an exit.
    pub(super) exits: &'static str,
}

/// A flight there and the flight back, by the airport abroad.
struct Route {
    abroad: &'static str,
    zone: Tz,
    aircraft: &'static str,
    price: i64,
    there: There,
    back: Back,
}

/// From Incheon, as the original has it.
struct There {
    number: &'static str,
    departs: Clock,
    arrives: Clock,
    flies: Clock,
}

/// To Incheon.
struct Back {
    number: &'static str,
    departs: Clock,
    flies: Clock,
}

/// Hours and minutes, of a clock or of a flight.
type Clock = (u32, u32);

const ROUTES: [Route; 7] = [
    Route {
        abroad: "NRT",
        zone: Tokyo,
        aircraft: "Boeing 737-800",
        price: 320_000,
        there: There { number: "CJ101", departs: (6, 30), arrives: (9, 15), flies: (2, 45) },
        back: Back { number: "CJ201", departs: (10, 30), flies: (2, 40) },
    },
    Route {
        abroad: "NRT",
        zone: Tokyo,
        aircraft: "Airbus A320",
        price: 320_000,
        there: There { number: "CJ102", departs: (9, 30), arrives: (12, 15), flies: (2, 45) },
        back: Back { number: "CJ202", departs: (13, 30), flies: (2, 40) },
    },
    Route {
        abroad: "KIX",
        zone: Tokyo,
        aircraft: "Boeing 737-800",
        price: 350_000,
        there: There { number: "CJ111", departs: (7, 0), arrives: (9, 30), flies: (2, 30) },
        back: Back { number: "CJ211", departs: (10, 45), flies: (2, 10) },
    },
    Route {
        abroad: "BKK",
        zone: Bangkok,
        aircraft: "Boeing 787-9",
        price: 450_000,
        there: There { number: "CJ121", departs: (8, 0), arrives: (12, 30), flies: (6, 30) },
        back: Back { number: "CJ221", departs: (14, 0), flies: (5, 30) },
    },
    Route {
        abroad: "SYD",
        zone: Sydney,
        aircraft: "Boeing 787-9",
        price: 720_000,
        there: There { number: "CJ131", departs: (10, 0), arrives: (22, 30), flies: (9, 30) },
        back: Back { number: "CJ231", departs: (9, 0), flies: (10, 20) },
    },
    Route {
        abroad: "LAX",
        zone: Los_Angeles,
        aircraft: "Boeing 787-9",
        price: 850_000,
        there: There { number: "CJ141", departs: (11, 0), arrives: (6, 30), flies: (11, 30) },
        back: Back { number: "CJ241", departs: (11, 0), flies: (13, 10) },
    },
    Route {
        abroad: "CDG",
        zone: Paris,
        aircraft: "Boeing 787-9",
        price: 950_000,
        there: There { number: "CJ151", departs: (13, 0), arrives: (18, 30), flies: (12, 30) },
        back: Back { number: "CJ251", departs: (21, 0), flies: (11, 40) },
    },
];

/// Where every route begins and ends.
const HOME: &str = "ICN";

/// The numbers of all flights, there and back.
pub(super) const FLIGHT_NUMBERS: [&str; 2 * ROUTES.len()] = {
    let mut numbers = [""; 2 * ROUTES.len()];
    let mut n = 0;
    while n < ROUTES.len() {
        numbers[n] = ROUTES[n].there.number;
        numbers[ROUTES.len() + n] = ROUTES[n].back.number;
        n += 1;
    }
    numbers
};

/// A flight as it is stored.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) number: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    pub(super) departs: NaiveTime,
    pub(super) arrives: NaiveTime,
    pub(super) duration: String,
    pub(super) aircraft: &'static str,
    pub(super) base_price: i64,
}

/// All flights, with the flights back arriving as they do on `day`.
pub(super) fn flights(day: NaiveDate) -> Vec<Flight> {
    let there = ROUTES.iter().map(|route| Flight {
        number: route.there.number,
        from: HOME,
        to: route.abroad,
        departs: time(route.there.departs),
        arrives: time(route.there.arrives),
        duration: duration(route.there.flies),
        aircraft: route.aircraft,
        base_price: route.price,
    });
    let back = ROUTES.iter().map(|route| Flight {
        number: route.back.number,
        from: route.abroad,
        to: HOME,
        departs: time(route.back.departs),
        arrives: arrival(day, route.zone, &route.back),
        duration: duration(route.back.flies),
        aircraft: route.aircraft,
        base_price: route.price,
    });
    there.chain(back).collect()
}

/// The time in Seoul when `flight`, from an airport in `zone`, arrives.
fn arrival(day: NaiveDate, zone: Tz, flight: &Back) -> NaiveTime {
    let (hours, minutes) = flight.flies;
    let local = day.and_time(time(flight.departs)) + TimeDelta::minutes(i64::from(hours * 60 + minutes));
    // Clocks are put forward and back at night, when no flight of ours leaves: there is one answer.
    let instant = zone.from_local_datetime(&local).earliest();
    instant.map_or(local.time(), |instant| instant.with_timezone(&Seoul).time())
}

fn time((hour, minute): Clock) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or_default()
}

/// How long a flight flies, as people are told.
fn duration((hours, minutes): Clock) -> String {
    format!("{hours}시간 {minutes}분")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(code: &str) -> Tz {
        AIRPORTS.iter().find(|airport| airport.code == code).unwrap().zone
    }

    /// The minutes between `departs` on `day` in `from` and the next `arrives` in `to`.
    fn minutes(flight: &Flight, day: NaiveDate) -> i64 {
        let departs = zone(flight.from).from_local_datetime(&day.and_time(flight.departs)).unwrap();
        let before = departs.with_timezone(&zone(flight.to)).date_naive();
        let arrives = before
            .iter_days()
            .map(|date| zone(flight.to).from_local_datetime(&date.and_time(flight.arrives)).unwrap())
            .find(|arrives| *arrives > departs)
            .unwrap();
        (arrives.to_utc() - departs.to_utc()).num_minutes()
    }

    #[test]
    fn every_route_flies_both_ways() {
        let flights = flights(NaiveDate::from_ymd_opt(2026, 12, 1).unwrap());
        assert_eq!(flights.len(), 14);
        for flight in &flights {
            assert!(flights.iter().any(|back| back.from == flight.to
                && back.to == flight.from
                && back.aircraft == flight.aircraft
                && back.base_price == flight.base_price));
        }
        let numbers: Vec<&str> = flights.iter().map(|flight| flight.number).collect();
        assert_eq!(numbers, FLIGHT_NUMBERS);
    }

    #[test]
    fn a_flight_back_takes_as_long_as_it_says_in_every_season() {
        for day in ["2026-12-01", "2027-04-05", "2027-07-01", "2027-10-10"] {
            let day: NaiveDate = day.parse().unwrap();
            for flight in flights(day).iter().filter(|flight| flight.to == HOME) {
                let minutes = minutes(flight, day);
                let said = format!("{}시간 {}분", minutes / 60, minutes % 60);
                assert_eq!(flight.duration, said, "{flight:?} on {day}");
            }
        }
    }

    #[test]
    fn the_originals_flights_are_as_they_were() {
        let flights = flights(NaiveDate::from_ymd_opt(2026, 12, 1).unwrap());
        let rows: Vec<String> = flights[..7]
            .iter()
            .map(|f| {
                let (departs, arrives) = (f.departs.format("%H:%M"), f.arrives.format("%H:%M"));
                let Flight { number, from, to, duration, aircraft, base_price, .. } = f;
                format!("{number} {from} {to} {departs} {arrives} {duration} {aircraft} {base_price}")
            })
            .collect();
        assert_eq!(
            rows,
            [
                "CJ101 ICN NRT 06:30 09:15 2시간 45분 Boeing 737-800 320000",
                "CJ102 ICN NRT 09:30 12:15 2시간 45분 Airbus A320 320000",
                "CJ111 ICN KIX 07:00 09:30 2시간 30분 Boeing 737-800 350000",
                "CJ121 ICN BKK 08:00 12:30 6시간 30분 Boeing 787-9 450000",
                "CJ131 ICN SYD 10:00 22:30 9시간 30분 Boeing 787-9 720000",
                "CJ141 ICN LAX 11:00 06:30 11시간 30분 Boeing 787-9 850000",
                "CJ151 ICN CDG 13:00 18:30 12시간 30분 Boeing 787-9 950000",
            ]
        );
    }
}
