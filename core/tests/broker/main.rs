//! The broker, told stories: peers in words, time in hand, every answer compared byte for byte.

mod admin;
mod all_yours;
mod coalesce;
mod explain;
mod handing;
mod life;
mod limits;
mod model;
mod property;
mod report;
mod restore;
mod schedule;
mod shelf;
mod story;
mod timing;
mod wake;
