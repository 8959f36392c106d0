"""What to paste into a terminal or a program to call a deployed model."""

from dataclasses import dataclass

KEY = "YOUR_API_KEY"


@dataclass(frozen=True)
class Snippets:
    curl: str
    python: str


def snippets(*, base_url: str, model: str) -> Snippets:
    """Both with the real address and model, and a placeholder for the key."""
    return Snippets(
        curl=(
            f"curl {base_url}/chat/completions \\\n"
            f'  -H "Authorization: Bearer {KEY}" \\\n'
            '  -H "Content-Type: application/json" \\\n'
            f'  -d \'{{"model": "{model}", "messages": [{{"role": "user", '
            '"content": "Hello"}]}\''
        ),
        python=(
            "from openai import OpenAI\n\n"
            f'client = OpenAI(base_url="{base_url}", api_key="{KEY}")\n'
            "answer = client.chat.completions.create(\n"
            f'    model="{model}",\n'
            '    messages=[{"role": "user", "content": "Hello"}],\n'
            ")\n"
            "print(answer.choices[0].message.content)"
        ),
    )
