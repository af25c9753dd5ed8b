//! Of points that were measured several times, the median.

use super::{Comparison, ConnectionPoint, IsolationPoint, MemorySample, RatePoint};

/// Puts the median in the place of each point of the curves that was measured several times. A point is
/// overloaded if it was so in most passes.
pub(super) fn keep(comparison: &mut Comparison) {
    let memory = grouped(&comparison.memory, |point| (point.subject, point.connections));
    comparison.memory = map(&memory, |points, one: &MemorySample| MemorySample {
        bytes: median(points, |point| point.bytes as f64) as u64,
        ..one.clone()
    });
    let rates = grouped(&comparison.rate_sweep, |point| (point.subject, point.offered));
    comparison.rate_sweep = map(&rates, |points, one: &RatePoint| RatePoint {
        achieved: median(points, |point| point.achieved),
        p50: median(points, |point| point.p50),
        p99: median(points, |point| point.p99),
        cpu: (median(points, |point| point.cpu.0), median(points, |point| point.cpu.1)),
        overloaded: most(points, |point| point.overloaded),
        ..one.clone()
    });
    let connections = grouped(&comparison.connection_sweep, |point| (point.subject, point.connections));
    comparison.connection_sweep = map(&connections, |points, one: &ConnectionPoint| ConnectionPoint {
        failed: median(points, |point| point.failed as f64) as u64,
        rate: median(points, |point| point.rate),
        ..one.clone()
    });
    let isolation = grouped(&comparison.isolation, |point| (point.subject, point.hostile_percent));
    comparison.isolation = map(&isolation, |points, one: &IsolationPoint| IsolationPoint {
        p99: median(points, |point| point.p99),
        overloaded: most(points, |point| point.overloaded),
        ..one.clone()
    });
}

/// The points with the same key, in the order in which the keys came first. There are few keys.
fn grouped<Point, Key: PartialEq>(points: &[Point], key: impl Fn(&Point) -> Key) -> Vec<Vec<&Point>> {
    let mut groups: Vec<Vec<&Point>> = Vec::new();
    for point in points {
        match groups.iter_mut().find(|group| key(group[0]) == key(point)) {
            Some(group) => group.push(point),
            None => groups.push(vec![point]),
        }
    }
    groups
}

/// One point for each group, made of all of them and of the first.
fn map<Point>(groups: &[Vec<&Point>], one: impl Fn(&[&Point], &Point) -> Point) -> Vec<Point> {
    groups.iter().map(|points| one(points, points[0])).collect()
}

/// The middle of what the points have; of the two in the middle, what lies between them.
fn median<Point>(points: &[&Point], of: impl Fn(&Point) -> f64) -> f64 {
    let mut values: Vec<f64> = points.iter().map(|point| of(point)).collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        count if count % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

fn most<Point>(points: &[&Point], is: impl Fn(&Point) -> bool) -> bool {
    points.iter().filter(|point| is(point)).count() * 2 > points.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(subject: usize, offered: f64, p99: f64, overloaded: bool) -> RatePoint {
        RatePoint { subject, offered, p99, overloaded, ..RatePoint::default() }
    }

    #[test]
    fn each_point_is_the_median_of_its_passes() {
        let mut comparison = Comparison {
            rate_sweep: vec![
                point(1, 10.0, 5.0, false),
                point(1, 20.0, 8.0, true),
                point(0, 10.0, 1.0, false),
                point(1, 10.0, 9.0, true),
                point(1, 10.0, 6.0, false),
                point(1, 20.0, 10.0, true),
            ],
            memory: vec![
                MemorySample { subject: 0, pass: 0, connections: 500, bytes: 10 },
                MemorySample { subject: 0, pass: 1, connections: 500, bytes: 30 },
            ],
            ..Comparison::default()
        };
        keep(&mut comparison);
        let expected = [point(1, 10.0, 6.0, false), point(1, 20.0, 9.0, true), point(0, 10.0, 1.0, false)];
        assert_eq!(comparison.rate_sweep, expected);
        assert_eq!(comparison.memory, [MemorySample { subject: 0, pass: 0, connections: 500, bytes: 20 }]);
    }

    #[test]
    fn one_pass_is_kept_as_it_is() {
        let points = vec![point(0, 1.0, 2.0, true), point(0, 2.0, 3.0, false)];
        let mut comparison = Comparison { rate_sweep: points.clone(), ..Comparison::default() };
        keep(&mut comparison);
        assert_eq!(comparison.rate_sweep, points);
    }
}
