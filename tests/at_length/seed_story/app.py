import flask
import jieba
import numpy

app = flask.Flask(__name__)


@app.get("/words/<text>")
def words(text):
    lengths = [len(word) for word in jieba.cut(text)]
    return {"words": len(lengths), "mean": float(numpy.mean(lengths))}


print("ready", len(app.url_map._rules), "routes")
