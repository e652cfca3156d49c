"""The page in the browser, and a study of what people prefer: answers to blind pairs.

store = AnswerStore(Path("answers.sqlite"), find_results(Path("study")))
bradley_terry(store.comparisons())
"""
