"""Our own source as an older Python reads it: 3.9, which RHEL 9 and Debian 11 come with.

What 3.10 and 3.11 added and our rooms use is a handful of things, each of which says the same in
another way. So the rooms are written for the Python that the project needs, and put back when the
agent is packed. Docstrings and comments stay behind. A test runs the result.
"""

import ast

_TYPING_LATER = frozenset({"Self", "TypeGuard", "Never"})
"""What annotations alone use: they are not looked at while the agent runs."""
_LATER_KEYWORDS = {"dataclass": {"slots", "kw_only"}, "zip": {"strict"}}
_BUILTIN_TYPES = frozenset({"bytes", "dict", "float", "int", "list", "set", "str", "tuple"})

EITHER = "_either"
SUPPORT = "tidemark._older"
"""The module that the source put back may import."""

SUPPORT_SOURCE = """
class Either:
    def __init__(self, *types):
        self.types = types
    def __or__(self, other):
        return Either(*self.types, other)
    def __call__(self, *given):
        raise TypeError("is no type of its own")
    def __instancecheck__(self, value):
        return isinstance(value, tuple(type(None) if one is None else one for one in self.types))
    def __hash__(self):
        return hash(self.types)
    def __eq__(self, other):
        return isinstance(other, Either) and other.types == self.types
"""


def put_back(source: str) -> str:
    """A module's source for Python 3.9, without its docstrings."""
    tree = _PutBack().visit(ast.parse(source))
    imports = [
        ast.ImportFrom("__future__", [ast.alias("annotations")], 0),
        ast.ImportFrom(SUPPORT, [ast.alias("Either", EITHER)], 0),
    ]
    rest = [node for node in tree.body if not _is_future(node)]
    tree.body = [*imports, *rest]
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


class _PutBack(ast.NodeTransformer):
    """Takes out what is newer; annotations are left alone, for nobody evaluates them."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.decorator_list = [one for one in node.decorator_list if not _is_of_typing(one)]
        return self._without_docstring(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._without_docstring(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        if node.module == "typing":
            node.names = [one for one in node.names if one.name not in _TYPING_LATER]
        return node if node.names else None

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        later = _LATER_KEYWORDS.get(node.func.id, set()) if isinstance(node.func, ast.Name) else ()
        node.keywords = [one for one in node.keywords if one.arg not in later]
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not (isinstance(node.op, ast.BitOr) and (_is_type(node.left) or _is_type(node.right))):
            return node
        return ast.Call(ast.Name(EITHER, ast.Load()), [node.left, node.right], [])

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and (node.value.id, node.attr) == ("dt", "UTC"):
            return ast.Attribute(ast.Attribute(node.value, "timezone", ast.Load()), "utc", node.ctx)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def _without_docstring(self, node: ast.Module | ast.ClassDef | ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node


def _is_type(node: ast.expr) -> bool:
    """Whether what stands beside a bar is plainly a type."""
    if isinstance(node, ast.Subscript):
        return _is_type(node.value)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == EITHER
    if isinstance(node, ast.Name | ast.Attribute):
        name = node.id if isinstance(node, ast.Name) else node.attr
        is_class = name[0].isupper() and not name.isupper()  # constants are all capitals
        return is_class or name in _BUILTIN_TYPES
    return isinstance(node, ast.Constant) and node.value is None


def _is_of_typing(node: ast.expr) -> bool:
    called = node.func if isinstance(node, ast.Call) else node
    return isinstance(called, ast.Attribute) and called.attr == "dataclass_transform"
