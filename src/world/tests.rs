//! Tests of rank 0 and another rank over loopback, with engines that record the calls they
//! get.

use super::leader::{self, Leader};
use super::worker::{begin, serve};
use super::{Links, Secret, World};
use crate::engines::cuda::GroupId;
use crate::engines::{Engine, Images, Order, Outcome, Resident, SkipState, StepContext};
use crate::error::Result;
use crate::ir::{Augment, Rates, Shape};
use crate::stop::Stop;
use crate::tensor::{Batch, Tensor};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Calls so far, each with all its arguments.
type Calls = Arc<Mutex<Vec<String>>>;

#[derive(Default)]
struct Recorder {
    calls: Calls,
    has_room: bool,
}

impl Recorder {
    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }
}

impl Engine for Recorder {
    fn name(&self) -> String {
        "recorder".into()
    }

    fn step(&mut self, batch: &Batch, at: StepContext) -> Result<Outcome> {
        self.note(format!("step {batch:?} {at:?}"));
        Ok(Outcome {
            loss: 0.5,
            correct: 1,
        })
    }

    fn end_epoch(&mut self, rate: f64) -> Result<()> {
        self.note(format!("end_epoch {rate:?}"));
        Ok(())
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<f32>> {
        Ok(batch
            .images
            .iter()
            .map(|x| x + batch.len() as f32)
            .collect())
    }

    fn gradients(&mut self, _: &Batch, _: StepContext) -> Result<(Outcome, Vec<Tensor>)> {
        unreachable!()
    }

    fn first_non_finite(&mut self, _: &Batch, _: StepContext) -> Result<Option<String>> {
        unreachable!()
    }

    fn skips(&self) -> Result<Vec<SkipState>> {
        Ok(Vec::new())
    }

    fn save(&self) -> Result<Vec<Tensor>> {
        Ok(Vec::new())
    }

    fn load(&mut self, tensors: &[Tensor]) -> Result<()> {
        self.note(format!("load {tensors:?}"));
        Ok(())
    }

    fn resident(&mut self) -> Option<Box<dyn Resident + '_>> {
        Some(Box::new(self))
    }
}

impl Resident for &mut Recorder {
    fn make_resident(&mut self, images: &Images) -> Result<bool> {
        self.note(format!("make_resident {images:?}"));
        Ok(self.has_room)
    }

    fn begin_epoch(&mut self, order: &Order) -> Result<()> {
        self.note(format!("begin_epoch {order:?}"));
        Ok(())
    }

    fn queue(&mut self, index: usize, at: StepContext) -> Result<()> {
        self.note(format!("queue {index} {at:?}"));
        Ok(())
    }

    fn outcomes(&mut self) -> Result<Vec<Outcome>> {
        self.note("outcomes".into());
        Ok(Vec::new())
    }
}

fn world(rank: usize) -> World {
    World {
        rank,
        size: 2,
        local: rank,
        address: "127.0.0.1".into(),
        port: 1,
        secret: Secret::default(),
    }
}

/// Both ends of a new connection.
fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, client)
}

const RATES: Rates = Rates {
    alpha_rate: 0.1 + 0.2,
    lambda_rate: 1e-7,
};

fn lead(links: &Rc<Links>, calls: Calls, tensors: &[Tensor], room: bool) {
    let at = StepContext {
        rate: 0.1 + 0.2,
        seed: u64::MAX,
        step: 9,
    };
    let engine = Box::new(Recorder {
        calls,
        has_room: true,
    });
    leader::begin(links, &GroupId([7; 128]), tensors, RATES).unwrap();
    let mut leader = Leader::new(engine, links.clone());
    assert_eq!(leader.name(), "recorder, 2 processes");
    leader.load(tensors).unwrap();
    let images = Images {
        shape: Shape::image(2, 1, 2),
        pixels: &[1, 2, 3, 4, 5, 6, 7, 255],
        labels: &[1, 0],
        mean: &[0.1, 0.2],
        deviation: &[0.3, f32::MIN_POSITIVE],
        batch: 2,
        augment: &[Augment::PadCrop(2), Augment::FlipHorizontal],
    };
    let mut resident = leader.resident().unwrap();
    assert_eq!(resident.make_resident(&images).unwrap(), room);
    let order = Order {
        images: vec![1, 0],
        changes: vec![(-2, 1), (0, 1), (2, -1), (0, 0)],
    };
    resident.begin_epoch(&order).unwrap();
    resident.queue(0, at).unwrap();
    resident.outcomes().unwrap();
    drop(resident);
    let batch = Batch {
        images: vec![0.5, -0.0, 3.0],
        labels: vec![2, 0, 1],
    };
    assert_eq!(leader.step(&batch, at).unwrap().correct, 1);
    leader.end_epoch(0.3).unwrap();
    // In parts of two and of one.
    assert_eq!(leader.logits(&batch).unwrap(), [2.5, 2.0, 4.0]);
}

#[test]
fn the_others_do_what_rank_0_does() {
    for room in [true, false] {
        let (here, there) = connected();
        let [ours, theirs] = [Calls::default(), Calls::default()];
        let tensors = [
            Tensor::full("a", &[2, 3], 1.5),
            Tensor::full("b", &[0], 0.0),
        ];
        let (calls, expected) = (theirs.clone(), tensors.clone());
        let worker = std::thread::spawn(move || {
            let links = Links::new(&world(1), vec![(0, there)], &Stop::default()).unwrap();
            let beginning = begin(&links).unwrap();
            assert_eq!(beginning.tensors, expected);
            assert_eq!(beginning.rates, RATES);
            assert_eq!(beginning.group.id, GroupId([7; 128]));
            assert_eq!((beginning.group.rank, beginning.group.size), (1, 2));
            let mut engine = Recorder {
                calls,
                has_room: room,
            };
            serve(&mut engine, Shape::image(2, 1, 2), &links).unwrap()
        });
        let links = Links::new(&world(0), vec![(1, here)], &Stop::default()).unwrap();
        let links = Rc::new(links);
        lead(&links, ours.clone(), &tensors, room);
        links.end(Some(15));
        assert_eq!(worker.join().unwrap(), Some(15));
        assert_eq!(*ours.lock().unwrap(), *theirs.lock().unwrap());
        assert_eq!(ours.lock().unwrap().len(), 7);
    }
}

#[test]
fn a_signal_to_one_reaches_the_other() {
    let (here, there) = connected();
    let [ours, theirs] = [Stop::default(), Stop::default()];
    let worker = Links::new(&world(1), vec![(0, there)], &theirs).unwrap();
    let leader = Links::new(&world(0), vec![(1, here)], &ours).unwrap();
    theirs.request(15);
    let begun = Instant::now();
    while ours.requested().is_none() && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(ours.requested(), Some(15));
    // Which is what follows from it; then both may go.
    let leaving = std::thread::spawn(move || worker.receive().unwrap().len());
    leader.end(ours.requested());
    assert_eq!(leaving.join().unwrap(), 1);
}
