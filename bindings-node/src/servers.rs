//! Servers as JavaScript gives them.

use lineshaft::Result;
use lineshaft::net::{Address, Servers};
use napi::bindgen_prelude::{ClassInstance, Either};

use crate::server::NativeServer;

/// An address, or a server of this process.
pub(crate) type Place<'a> = Either<String, ClassInstance<'a, NativeServer>>;

/// The servers; the default one where there are none.
pub(crate) fn servers(places: &[Place<'_>]) -> Result<Servers> {
    let mut addresses: Vec<Address> = Vec::new();
    for place in places {
        match place {
            Either::A(text) => addresses.extend(text.parse::<Servers>()?.iter().cloned()),
            Either::B(server) => addresses.push(server.address()?),
        }
    }
    Ok(Servers::from_iter(addresses))
}

/// What a constructor throws: `CODE message`, which the JavaScript half takes apart.
pub(crate) fn thrown(error: &lineshaft::Error) -> napi::Error {
    napi::Error::from_reason(format!("{} {error}", error.kind().name()))
}
