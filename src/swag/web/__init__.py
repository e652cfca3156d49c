"""A study of what people prefer: blind pairs, their answers, and what these say.

store = AnswerStore(Path("answers.sqlite"), find_results(Path("study")))
bradley_terry(store.comparisons())
"""
