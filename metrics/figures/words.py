"""What a reader is shown, in each of the languages of the pages."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """One text in English and in Chinese. The fields are named as the pages name their languages."""

    en: str
    zh_Hans_CN: str  # noqa: N815 - the name of the locale, as plugin.web.LANGUAGES has it

    def __str__(self) -> str:
        return self.en

    def in_language(self, language: str) -> str:
        """The text in `language`; English where it is not one of ours."""
        return self.zh_Hans_CN if language == "zh_Hans_CN" else self.en


COURSE = Words("Course", "课程")  # what stands beside each name of a list, where it is nothing else
