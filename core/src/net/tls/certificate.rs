//! What a certificate says of its owner: names and dates. Signatures and chains are rustls' business; what is read here has been
//! verified, or is our own. Everything else in it is passed over.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Names and dates of a certificate.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Certificate {
    /// The common name of the subject, then the alternative names.
    pub(super) names: Vec<Box<str>>,
    /// Seconds since 1970 from which on it is valid.
    pub(super) not_before: i64,
    /// And until when.
    pub(super) not_after: i64,
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const BMP_STRING: u8 = 0x1e;

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// Elements in DER, one behind the other.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Iterator for Der<'a> {
    type Item = (u8, &'a [u8]);

    /// The next element: its tag and its content. None at the end, and at what is no DER.
    fn next(&mut self) -> Option<Self::Item> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let bytes = usize::from(first & 0x7f);
            let (digits, after) = rest.split_at_checked(bytes).filter(|_| (1..=4).contains(&bytes))?;
            length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
            rest = after;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }
}

impl<'a> Der<'a> {
    /// The content of the next element, which has to have this tag.
    fn expect(&mut self, tag: u8) -> Option<Self> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| Der(content))
    }
}

impl Certificate {
    /// Reads one; `None` where it is none.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let mut body = Der(der).expect(SEQUENCE)?.expect(SEQUENCE)?;
        let mut ahead = body;
        if ahead.next()?.0 == VERSION {
            body = ahead;
        }
        body.expect(INTEGER)?;
        // The algorithm of the signature, and who has signed.
        body.expect(SEQUENCE)?;
        body.expect(SEQUENCE)?;
        let mut validity = body.expect(SEQUENCE)?;
        // `99991231235959Z` means no end, and is beyond the calendar that is used here.
        let not_before = moment(validity.next()?).unwrap_or(i64::MIN);
        let not_after = moment(validity.next()?).unwrap_or(i64::MAX);
        let subject = body.expect(SEQUENCE)?;
        let mut names: Vec<Box<str>> = common_name(subject).into_iter().collect();
        for (tag, content) in body {
            if tag == EXTENSIONS {
                let extensions = Der(content).expect(SEQUENCE)?;
                names.extend(alternative_names(extensions).unwrap_or_default());
            }
        }
        Some(Self { names, not_before, not_after })
    }
}

fn common_name(subject: Der<'_>) -> Option<Box<str>> {
    let parts = subject.filter(|(tag, _)| *tag == SET).flat_map(|(_, set)| Der(set));
    // Of several the last is the most specific.
    let names = parts.filter_map(|(_, part)| {
        let mut part = Der(part);
        let is_name = part.expect(OID)?.0 == COMMON_NAME;
        part.next().filter(|(tag, _)| is_name && *tag != BMP_STRING).and_then(|(_, name)| text(name))
    });
    names.last()
}

fn alternative_names(extensions: Der<'_>) -> Option<Vec<Box<str>>> {
    for (_, extension) in extensions {
        let mut extension = Der(extension);
        if extension.expect(OID)?.0 != ALTERNATIVE_NAMES {
            continue;
        }
        // A mark that it is critical may stand in between.
        let (_, value) = extension.find(|(tag, _)| *tag == OCTETS)?;
        let names = Der(value).expect(SEQUENCE)?;
        return Some(names.filter_map(|(tag, content)| alternative_name(tag, content)).collect());
    }
    None
}

/// Mail addresses, DNS names, URIs and addresses; others have no text.
fn alternative_name(tag: u8, content: &[u8]) -> Option<Box<str>> {
    match (tag, content.len()) {
        (0x81 | 0x82 | 0x86, _) => text(content),
        (0x87, 4) => Some(Ipv4Addr::from(<[u8; 4]>::try_from(content).ok()?).to_string().into()),
        (0x87, 16) => Some(Ipv6Addr::from(<[u8; 16]>::try_from(content).ok()?).to_string().into()),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<Box<str>> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty()).map(Into::into)
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`.
fn moment((tag, content): (u8, &[u8])) -> Option<i64> {
    let digits = content.strip_suffix(b"Z")?;
    let number = |part: &[u8]| std::str::from_utf8(part).ok()?.parse::<i16>().ok();
    let (year, rest) = match tag {
        UTC_TIME => {
            let year = number(digits.get(..2)?)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, digits.get(2..)?)
        }
        GENERALIZED_TIME => (number(digits.get(..4)?)?, digits.get(4..)?),
        _ => return None,
    };
    let mut parts = [0; 5];
    for (part, digits) in parts.iter_mut().zip(rest.chunks_exact(2)) {
        *part = i8::try_from(number(digits)?).ok()?;
    }
    let [month, day, hour, minute, second] = parts;
    let time = jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair, SanType};

    fn made() -> CertificateParams {
        let mut params = CertificateParams::new(vec!["a.example".to_owned(), "10.0.0.7".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI("spiffe://x/y".try_into().unwrap()));
        params.subject_alt_names.push(SanType::Rfc822Name("me@example".try_into().unwrap()));
        params.subject_alt_names.push(SanType::IpAddress("::1".parse().unwrap()));
        params.distinguished_name = Default::default();
        params.distinguished_name.push(DnType::OrganizationName, "Mill");
        params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String("wörker".into()));
        params.not_before = rcgen::date_time_ymd(1999, 12, 31);
        params.not_after = rcgen::date_time_ymd(2051, 1, 2);
        params
    }

    #[test]
    fn names_and_dates_are_read() {
        let key = KeyPair::generate().unwrap();
        let der = made().self_signed(&key).unwrap();
        let read = Certificate::read(der.der()).unwrap();
        let names: Vec<&str> = read.names.iter().map(|name| &**name).collect();
        assert_eq!(names, ["wörker", "a.example", "10.0.0.7", "spiffe://x/y", "me@example", "::1"]);
        assert_eq!((read.not_before, read.not_after), (946_598_400, 2_556_230_400));
    }

    #[test]
    fn what_never_ends_has_names_too() {
        let key = KeyPair::generate().unwrap();
        let mut params = made();
        params.not_after = rcgen::date_time_ymd(9999, 12, 31);
        let read = Certificate::read(params.self_signed(&key).unwrap().der()).unwrap();
        assert_eq!((read.names.len(), read.not_before), (6, 946_598_400));
        assert!(read.not_after > 250_000_000_000);
    }

    #[test]
    fn what_is_cut_or_bent_is_no_certificate_and_no_panic() {
        let key = KeyPair::generate().unwrap();
        let der = made().self_signed(&key).unwrap().der().to_vec();
        for end in 0..der.len() {
            assert_eq!(Certificate::read(&der[..end]), None);
        }
        for at in 0..der.len() {
            for byte in [0, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut bent = der.clone();
                bent[at] = byte;
                // Whatever it reads: it comes back.
                let _ = Certificate::read(&bent);
            }
        }
    }
}
