use std::sync::Barrier;
use std::thread::scope;

use super::*;
use crate::mailbox::Mail;
use crate::{Limits, Record};

/// A subscriber that collects what it receives.
fn collect() -> (Arc<Mutex<Vec<String>>>, Arc<dyn Subscriber>) {
    let received = Arc::<Mutex<Vec<String>>>::default();
    let list = Arc::clone(&received);
    let subscriber = move |message: &Arc<[u8]>| {
        list.lock().unwrap().push(String::from_utf8_lossy(message).into_owned());
    };
    (received, Arc::new(subscriber))
}

fn publish(exchange: &LocalExchange, channel: &str, message: &str) {
    assert_eq!(exchange.publish(channel, message.as_bytes().into()), Ok(()));
}

#[test]
fn subscribers_of_the_channel_receive_each_message_once_until_they_unsubscribe() {
    let exchange = LocalExchange::new();
    let ((one, subscriber_one), (two, subscriber_two)) = (collect(), collect());
    let first = exchange.subscribe("a", subscriber_one);
    let second = exchange.subscribe("a", Arc::clone(&subscriber_two));
    let other = exchange.subscribe("b", subscriber_two);
    publish(&exchange, "a", "1");
    publish(&exchange, "b", "2");
    publish(&exchange, "c", "3");
    drop(first);
    publish(&exchange, "a", "4");
    assert_eq!(exchange.subscribed_channels(), ["a", "b"]);
    drop((second, other));
    publish(&exchange, "a", "5");
    assert_eq!((one.lock().unwrap().join(" "), two.lock().unwrap().join(" ")), ("1".into(), "1 2 4".into()));
    assert!(!exchange.has_subscribers("a") && exchange.subscribed_channels().is_empty());
}

#[test]
fn a_group_leaves_out_the_client_that_publishes() {
    let exchange = LocalExchange::new();
    let group = Arc::new(Group::new());
    let records: Vec<_> = (0..2).map(|_| Arc::new(Record::new(&Limits::default(), 0))).collect();
    let handles: Vec<_> = records.iter().map(|record| Handle::new(Arc::clone(record), 0)).collect();
    assert!(handles.iter().all(|handle| group.join(handle)));
    let _subscription = exchange.subscribe("room", group);
    assert_eq!(exchange.publish_to_others(&handles[0], "room", (*b"hello").into()), Ok(()));
    publish(&exchange, "room", "all");
    let heard = |record: &Record| -> Vec<u8> {
        let mail = std::iter::from_fn(|| record.cell.next_mail());
        mail.flat_map(|mail| if let Mail::Push(message) = mail { message.to_vec() } else { vec![] }).collect()
    };
    assert_eq!((heard(&records[0]), heard(&records[1])), (b"all".to_vec(), b"helloall".to_vec()));
}

#[test]
fn a_subscriber_may_publish_subscribe_and_unsubscribe() {
    let exchange = LocalExchange::new();
    let (received, subscriber) = collect();
    let own = Arc::<Mutex<Option<Subscription>>>::default();
    let (slot, inside) = (Arc::clone(&own), exchange.clone());
    let subscriber = Mutex::new(Some(subscriber));
    let first = move |_: &Arc<[u8]>| {
        let subscriber = subscriber.lock().unwrap().take().expect("it is called once");
        let added = inside.subscribe("echo", subscriber);
        publish(&inside, "echo", "from within");
        drop((added, slot.lock().unwrap().take()));
    };
    *own.lock().unwrap() = Some(exchange.subscribe("a", Arc::new(first)));
    publish(&exchange, "a", "1");
    publish(&exchange, "a", "2");
    assert_eq!(*received.lock().unwrap(), ["from within"]);
    assert!(exchange.subscribed_channels().is_empty());
}

#[test]
fn a_subscriber_that_panics_disturbs_nobody() {
    let exchange = LocalExchange::new();
    let (received, subscriber) = collect();
    let _panics = exchange.subscribe("a", Arc::new(|_: &Arc<[u8]>| panic!("a fault of the subscriber")));
    let _collects = exchange.subscribe("a", subscriber);
    publish(&exchange, "a", "1");
    assert_eq!(*received.lock().unwrap(), ["1"]);
}

#[test]
#[cfg_attr(miri, ignore = "Miri takes minutes for it")]
fn messages_of_each_thread_are_received_in_order_by_all() {
    const MESSAGES: usize = 1000;
    let exchange = LocalExchange::new();
    let subscribers: Vec<_> = (0..3).map(|_| collect()).collect();
    let subscriptions: Vec<_> =
        subscribers.iter().map(|(_, subscriber)| exchange.subscribe("a", Arc::clone(subscriber))).collect();
    let start = Barrier::new(3);
    scope(|scope| {
        for thread in ["x", "y", "z"] {
            let (exchange, start) = (&exchange, &start);
            scope.spawn(move || {
                start.wait();
                (0..MESSAGES).for_each(|number| publish(exchange, "a", &format!("{thread}{number}")));
            });
        }
    });
    for (received, _) in &subscribers {
        let received = received.lock().unwrap();
        for thread in ["x", "y", "z"] {
            let of_thread = received.iter().filter_map(|message| message.strip_prefix(thread));
            assert!(of_thread.eq((0..MESSAGES).map(|number| number.to_string())), "{thread}");
        }
    }
    drop(subscriptions);
}
