//! Programs that nobody here wrote, as clients and as workers, against our broker; our tools against theirs; and all of it
//! against Debian's gearmand, which proves the suite.

mod admin;
mod gaps;
mod peers;
mod stories;
mod tools;

use libtest_mimic::{Arguments, Failed, Trial};
use lineshaft_tests::server::Maker;
use peers::{Linked, Peer, Session};
use stories::{STORIES, Story, Varies};

fn main() {
    let mut trials = Vec::new();
    for broker in Maker::ALL {
        for story in STORIES {
            for (worker, client) in pairs(story) {
                if gaps::gap(broker, worker, client, story.name).is_none() {
                    trials.push(trial(broker, worker, client, story));
                }
            }
        }
        for tools in Maker::ALL {
            trials.extend(admin::trials(broker, tools));
            trials.extend(tools::trials(broker, Peer::Tool(tools)));
        }
        trials.extend(tools::trials(broker, Peer::OnOurs(Linked::Tool)));
    }
    trials.push(Trial::test("programs_on_ours_have_loaded_it", || {
        peers::on_ours_have_loaded_it().map_err(failed)
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Who meets whom in a story.
fn pairs(story: &Story) -> Vec<(Peer, Peer)> {
    let on_ours = Linked::ALL.map(Peer::OnOurs);
    let mut pairs = match story.varies {
        Varies::Both => {
            Peer::ALL.iter().flat_map(|&worker| Peer::ALL.map(|client| (worker, client))).collect()
        }
        Varies::Worker => Peer::ALL.map(|worker| (worker, Peer::Gear)).to_vec(),
        Varies::Client => Peer::ALL.map(|client| (Peer::Gear, client)).to_vec(),
    };
    // Programs on our libgearman meet those of their own kind, and one that has nothing to do with it. gear takes half a minute
    // for large packets.
    let partner = if story.name.starts_with("large") { Peer::Perl } else { Peer::Gear };
    if story.varies != Varies::Client {
        pairs.extend(on_ours.map(|worker| (worker, partner)));
    }
    if story.varies != Varies::Worker {
        pairs.extend(on_ours.map(|client| (partner, client)));
    }
    if story.varies == Varies::Both {
        pairs.extend(on_ours.map(|both| (both, both)));
    }
    pairs
}

fn trial(broker: Maker, worker: Peer, client: Peer, story: &'static Story) -> Trial {
    Trial::test(format!("{broker}::{}::{worker}_to_{client}", story.name), move || {
        let mut session = Session::new(broker)?;
        (story.tell)(&mut session, worker, client).and_then(|()| session.end()).map_err(failed)
    })
}

/// An error with its causes.
fn failed(error: anyhow::Error) -> Failed {
    format!("{error:#}").into()
}
