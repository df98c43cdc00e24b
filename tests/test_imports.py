"""No module imports itself in a circle.

`lint-imports` sees to the rooms (see pyproject.toml); a circle between a package and a module in
it, which it does not see, is found here.
"""

import grimp


def circles(imports):
    """The circles of a graph (node -> those that it leads to): its strongly connected components.

    Source: R. Tarjan, "Depth-first search and linear graph algorithms", 1972.
    """
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in imports[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            found.append(stack[at:])
            del stack[at:]

    for node in imports:
        if node not in index:
            visit(node)
    return [sorted(one) for one in found if len(one) > 1 or one[0] in imports[one[0]]]


def test_a_circle_is_found():
    imports = {"a": ["b"], "b": ["c", "d"], "c": ["a"], "d": ["d"], "e": ["a"]}
    assert sorted(circles(imports)) == [["a", "b", "c"], ["d"]]


def test_no_module_imports_itself_in_a_circle():
    graph = grimp.build_graph("tidemark", cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    rooms = {name.split(".")[1] for name in imports if "." in name}
    assert {"record", "sampler", "targets", "analysis", "run", "locustfiles"} <= rooms
    assert circles(imports) == []
