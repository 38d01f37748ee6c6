"""No queue: each of uvicorn's processes classifies in its own thread."""

from fastapi import FastAPI, Request

from classifier import Classifier

app = FastAPI()
classifier = Classifier()


@app.get("/health")
def health():
    return "ok"


@app.post("/predict")
async def predict(request: Request):
    # In the event loop: one process for each processor has nothing else to do.
    return {"predictions": classifier.classify(await request.body())}
