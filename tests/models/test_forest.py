import numpy as np
import pytest

from market.errors import ModelError
from models.array_file import pack, unpack
from models.flattening import Tree, forest_of, round_down
from models.forest import Forest, compile_kernels, forest_from
from models.forest_kernels import STEP_BITS

FEATURES = 3


def stump(threshold, low=0.25, high=0.75):
    """Return a tree of one decision on feature 1."""
    return Tree(
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        feature=np.array([1, -2, -2]),
        threshold=np.array([threshold, -2.0, -2.0]),
        value=np.array([0.5, low, high]),
    )


def small_forest():
    return forest_of([stump(0.0), stump(1.0)], FEATURES, 0.5, 0.0, is_logit=False)


def test_sums_the_leaves_of_all_trees():
    rows = np.array([[9.0, -1.0, 9.0], [9.0, 0.5, 9.0], [9.0, 2.0, 9.0]])

    assert small_forest().probability(rows).tolist() == [0.25, 0.5, 0.75]


def test_a_logit_forest_goes_through_the_logistic_function():
    forest = forest_of([stump(0.0, -800.0, 800.0)], FEATURES, 1.0, 0.0, is_logit=True)

    assert forest.probability(np.array([[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]])).tolist() == [0.0, 1.0]


def test_a_split_hands_its_feature_the_change_of_the_mean():
    told = small_forest().contributions(np.array([[9.0, -1.0, 9.0], [9.0, 0.5, 9.0]]))

    assert told.base == 0.5
    assert told.values.tolist() == [[0.0, -0.25, 0.0], [0.0, 0.0, 0.0]]


def test_a_tree_that_is_one_leaf_moves_nothing():
    leaf = Tree(np.array([-1]), np.array([-1]), np.array([-2]), np.array([-2.0]), np.array([0.625]))

    told = forest_of([leaf, stump(0.0)], FEATURES, 0.5, 0.0, is_logit=False).contributions(np.zeros((1, FEATURES)))

    assert told.base == 0.5625
    assert told.values.tolist() == [[0.0, -0.125, 0.0]]


def test_rounds_thresholds_down_so_that_every_float32_goes_the_same_way():
    random = np.random.default_rng(1)
    thresholds = random.normal(size=5_000) * 10.0 ** random.integers(-30, 30, 5_000)
    nearest = thresholds.astype(np.float32)

    for x in (nearest, np.nextafter(nearest, np.float32(np.inf)), np.nextafter(nearest, np.float32(-np.inf))):
        assert ((x <= round_down(thresholds)) == (x.astype(np.float64) <= thresholds)).all()


def test_a_deep_lopsided_tree_is_walked_to_its_end():
    depth = 300
    left = np.array([2 * level + 1 if level < depth else -1 for level in range(depth + 1) for _ in (0,)])
    ids = np.arange(2 * depth + 1)
    is_inner = (ids % 2 == 0) & (ids < 2 * depth)
    left = np.where(is_inner, ids + 1, -1)
    tree = Tree(left, np.where(is_inner, ids + 2, -1), np.zeros_like(ids), ids / 2.0, ids / 1_000.0)

    forest = forest_of([tree], 1, 1.0, 0.0, is_logit=False)

    rows = np.array([[-1.0], [10.5], [1e9], [149.5], [150.0]])
    assert forest.probability(rows) == pytest.approx([0.001, 0.023, 0.6, 0.301, 0.301])


def link(feature, step):
    return (feature << STEP_BITS) | step


@pytest.mark.parametrize(
    ("node", "word", "value", "reason"),
    [
        (0, 1, link(1, 2), "a child lies outside its tree"),
        (0, 1, link(1, (1 << STEP_BITS) - 1), "a child lies outside its tree"),
        (1, 1, link(FEATURES, 1), "a child lies outside its tree"),
        (0, 1, link(FEATURES, 1), "a feature is out of range"),
        (0, 1, link(1000, 1), "a feature is out of range"),
        (1, 1, link(0, 0), "a feature is out of range"),
        (0, 0, 0x7FC00000, "a threshold or leaf is not finite"),
        (2, 0, 0xFF800000, "a threshold or leaf is not finite"),
    ],
)
def test_refuses_nodes_that_lead_astray(node, word, value, reason):
    nodes = small_forest().nodes.copy()
    nodes[node, word] = value

    with pytest.raises(ModelError, match=reason):
        Forest(nodes, np.array([0, 3, 6]), small_forest().means, FEATURES, 1.0, 0.0, is_logit=False)


@pytest.mark.parametrize("starts", [[0, 3], [0, 6, 3], [1, 3, 6], [0, 0, 6], [0, -3, 6], [0, 9, 6], [0, 2**40, 6]])
def test_refuses_trees_that_do_not_follow_each_other(starts):
    with pytest.raises(ModelError, match=r"trees do not follow|child lies outside"):
        Forest(small_forest().nodes, np.array(starts), small_forest().means, FEATURES, 1.0, 0.0, is_logit=False)


@pytest.mark.parametrize(
    "change",
    [
        {"nodes": np.zeros((6, 2), np.int64)},
        {"nodes": np.zeros(12, np.uint32)},
        {"starts": np.array([0.0, 6.0])},
        {"starts": np.array([0])},
        {"means": np.zeros(2)},
        {"means": np.zeros(3, np.float32)},
        {"means": np.array([0.5, np.nan], np.float32)},
        {"forest": np.array([3.0, np.nan, 0.0, 0.0])},
        {"forest": np.array([3.0, 1.0])},
        {"forest": np.array([0.0, 1.0, 0.0, 0.0])},
        {"forest": np.array([1e9, 1.0, 0.0, 0.0])},
    ],
)
def test_refuses_arrays_of_another_kind(change):
    with pytest.raises(ModelError, match="forest refused"):
        forest_from({**small_forest().arrays(), **change})


def test_refuses_what_misses_an_array():
    arrays = small_forest().arrays()
    del arrays["starts"]

    with pytest.raises(ModelError, match="starts"):
        forest_from(arrays)


def test_random_damage_is_refused_or_harmless():
    content = pack(small_forest().arrays())
    random = np.random.default_rng(2)
    rows = random.normal(size=(50, FEATURES))
    for _ in range(600):
        damaged = bytearray(content)
        for place in random.integers(0, len(damaged), random.integers(1, 5)):
            damaged[place] = random.integers(256)
        try:
            forest_from(unpack(bytes(damaged))).probability(rows)
        except ModelError:
            continue


def test_rows_of_another_width_are_refused():
    with pytest.raises(ModelError, match="needs 3 features"):
        small_forest().probability(np.zeros((2, 4)))


def test_no_rows_give_no_probabilities():
    assert small_forest().probability(np.zeros((0, FEATURES))).shape == (0,)


def test_tells_how_long_each_kernel_took():
    assert set(compile_kernels()) == {"forest_check", "forest_walk", "forest_reasons"}
